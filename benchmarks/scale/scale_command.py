"""`deepthings bench scale`: compares a cluster with its devices alone."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from benchmarks.campaign_progress import print_failures, print_line, run_campaign
from benchmarks.cluster.nodes import emulation_unavailable_reason
from benchmarks.page import PAGE_FILE
from benchmarks.scale.bench_group import BenchGroup, ScaleScope
from benchmarks.scale.device_rows import DEPTHWISE, ONE_EDGE, SIX_EDGES
from benchmarks.scale.divided_rows import DIVIDED_GROUPS
from benchmarks.scale.emulated_bench import LINK
from benchmarks.scale.machine_rows import COLD_START, MEMORY, ONE_MACHINE
from benchmarks.scale.scale_campaign import ScaleCampaign
from benchmarks.scale.scale_figures import draw_scale
from benchmarks.scale.scale_page import scale_page, scale_table
from benchmarks.scale.scale_rows import parse_rows
from benchmarks.scale.yolov2_rows import YOLOV2
from gateway.broker.mosquitto import find_mosquitto
from gateway.planning.methods import Method
from shared.cli.common_options import ParsedType, json_option
from shared.errors import DeepThingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: tuple[BenchGroup, ...] = (
    ONE_MACHINE,
    MEMORY,
    COLD_START,
    SIX_EDGES,
    ONE_EDGE,
    DEPTHWISE,
    YOLOV2,
    *DIVIDED_GROUPS,
)


@click.command()
@click.option("--rows", type=ParsedType("ROW,ROW", parse_rows), default="all", help="Rows to measure.")
@click.option(
    "--method", type=click.Choice([str(method) for method in Method]), help="The gateway's method.  [default: its own]"
)
@click.option("--quick", is_flag=True, help="A quarter of an hour: rows are observed for a short time only.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bench-scale"),
    help="Folder for the results.",
)
@json_option
def scale(rows: tuple[str, ...], method: str | None, quick: bool, out: Path, as_json: bool) -> None:
    """Compare a cluster with its devices alone: throughput, latency, overload, memory; write a table and a page.

    Devices alone are bare: each runs one loop that does the whole job, with the same limits, before and after the
    cluster. Weak devices are emulated with network namespaces and control groups, which needs root; without it, only
    rows that need none are measured. Results are kept in the folder: an interrupted run continues there.
    """
    find_mosquitto()
    console = Console(stderr=True)
    campaign = ScaleCampaign.open(ScaleScope(out, quick, method or ""))
    campaign.unavailable = emulation_unavailable_reason(LINK)
    begun = time.monotonic()
    _measure(campaign, rows, console)
    if not campaign.results:
        raise DeepThingsError(f"nothing was measured: {next(iter(campaign.failures.values()), 'no row was chosen')}")
    drawn = draw_scale(campaign.results, out)
    (out / PAGE_FILE).write_text(scale_page(campaign, drawn))
    seconds = time.monotonic() - begun
    print_line(f"{len(campaign.results)} rows in {seconds:.0f} s; the page is {out / PAGE_FILE}", console)
    if campaign.disturbance:
        print_line(campaign.disturbance, console)
    if as_json:
        print(json.dumps([result.to_json() for result in campaign.ordered]))
    else:
        Console(width=None if console.is_terminal else 160).print(scale_table(campaign), markup=False)


def _measure(campaign: ScaleCampaign, rows: Sequence[str], console: Console) -> None:
    run_campaign(partial(campaign.run, GROUPS, rows), len(rows), campaign.scope.folder, console)
    print_failures(campaign.failures, console)
