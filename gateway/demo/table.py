"""The demo's live table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gateway.demo.statistics import Observer


def render(observer: Observer, hint: str) -> RenderableType:
    """What is known now: frames, latency, tiles run and stolen per edge, what was seen."""
    counts = observer.counts
    dropped = ", ".join(f"{count} {reason}" for reason, count in counts.dropped.items()) or "0"
    latest = observer.latest
    seen = Counter(found.label for found in latest.objects) if latest else Counter()
    facts = Table.grid(padding=(0, 2))
    facts.add_row("frames", f"{observer.published} published, {dropped} dropped")
    facts.add_row(
        "latency", f"{observer.percentile('total', 50):.0f} ms median, {observer.percentile('total', 95):.0f} ms p95"
    )
    facts.add_row("seen now", ", ".join(f"{count} {label}" for label, count in seen.most_common()) or "nothing yet")
    edges = Table("edge", "state", "own tiles", "stolen tiles", "cameras", expand=True)
    for name, tiles in observer.tiles.items():
        node = observer.nodes.nodes.get(name)
        edges.add_row(
            name,
            str(node.state) if node else "starting",
            str(tiles.own),
            str(tiles.stolen),
            ", ".join(node.cameras) if node else "",
        )
    return Panel(Group(facts, edges, Text(hint, style="dim")), title="DeepThings", expand=False)
