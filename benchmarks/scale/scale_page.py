"""Writes the table of rows: as a page in Markdown, and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.scale.scale_rows import SCALE_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import DrawnFigure
    from benchmarks.scale.scale_campaign import ScaleCampaign
    from benchmarks.scale.scale_rows import ScaleResult

_EXPLANATION = (
    "*Bare* is one Python loop that does the whole job: capture, letterbox, input, `session.run`, decoding, "
    "suppression. It ran on the same devices, with the same limits, before and after the cluster. `session.run` is the "
    "network alone. Edges had 0.2 of a core, the gateway 0.4, links 100 Mbit/s, unless stated otherwise; cameras ran "
    "on their edge's device. *Others* are programs of this machine that do not belong to the bench."
)
_HEAD = ("what", "goal", "measured", "bare", "session.run", "ratio", "reached")


def scale_page(campaign: ScaleCampaign, drawn: Sequence[DrawnFigure]) -> str:
    """Return the text of the page."""
    scope = campaign.scope
    parts = [
        "# What a cluster gains over its devices",
        f"Written by `deepthings bench scale{' --quick' if scope.quick else ''}`. {_EXPLANATION} All of it ran on "
        f"{campaign.machine['processor']} ({campaign.machine['cores']} cores), with the gateway's method "
        f"{scope.method or 'by its own choice'}.",
        *([f"> **Not quiet.** {campaign.disturbance}"] if campaign.disturbance else []),
        "\n".join(
            ["| " + " | ".join((*_HEAD, "remark")) + " |", "|---" * (len(_HEAD) + 1) + "|"]
            + ["| " + " | ".join((*_cells(result), result.remark)) + " |" for result in campaign.ordered]
        ),
        *(f"{picture.caption}:\n\n![{picture.caption}]({picture.file})" for picture in drawn),
    ]
    if campaign.failures:
        parts += ["## Not measured", "\n".join(f"- {SCALE_ROWS[row].title}: {why}" for row, why in _failures(campaign))]
    parts.append("All figures are in `results.json`.")
    return "\n\n".join(parts) + "\n"


def scale_table(campaign: ScaleCampaign) -> Table:
    """Return the table for a terminal."""
    table = Table(*_HEAD)
    for result in campaign.ordered:
        table.add_row(*_cells(result))
    for row, reason in _failures(campaign):
        table.add_row(SCALE_ROWS[row].title, SCALE_ROWS[row].goal, f"not measured: {reason}")
    return table


def _failures(campaign: ScaleCampaign) -> list[tuple[str, str]]:
    return [(row, campaign.failures[row]) for row in SCALE_ROWS if row in campaign.failures]


def _cells(result: ScaleResult) -> tuple[str, ...]:
    ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
    reached = {True: "yes", False: "no", None: ""}[result.reached]
    return result.title, result.goal, result.measured, result.bare, result.session, ratio, reached
