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

    from gateway.demo.statistics import ClusterStatistics


def render_demo_table(statistics: ClusterStatistics, hint: str) -> RenderableType:
    """Return the current state: frames, latency, own and stolen tiles of each edge, detected objects."""
    counts = statistics.counts
    dropped = ", ".join(f"{count} {reason}" for reason, count in counts.dropped.items()) or "0"
    latest = statistics.latest
    seen = Counter(found.label for found in latest.objects) if latest else Counter()
    facts = Table.grid(padding=(0, 2))
    facts.add_row("frames", f"{statistics.published} published, {dropped} dropped")
    facts.add_row(
        "latency",
        f"{statistics.percentile('total', 50):.0f} ms median, {statistics.percentile('total', 95):.0f} ms p95",
    )
    facts.add_row("seen now", ", ".join(f"{count} {label}" for label, count in seen.most_common()) or "nothing yet")
    edges = Table("edge", "state", "own tiles", "stolen tiles", "cameras", expand=True)
    for name, tiles in statistics.tiles.items():
        node = statistics.nodes.nodes.get(name)
        edges.add_row(
            name,
            str(node.state) if node else "starting",
            str(tiles.own),
            str(tiles.stolen),
            ", ".join(node.cameras) if node else "",
        )
    return Panel(Group(facts, edges, Text(hint, style="dim")), title="DeepThings", expand=False)
