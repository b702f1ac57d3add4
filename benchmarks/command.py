"""`deepthings bench`: the paper's experiments on this machine."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from benchmarks.campaign import Campaign
from benchmarks.campaign_progress import print_failures, print_line, run_campaign
from benchmarks.cluster.nodes import emulation_unavailable_reason
from benchmarks.cluster.shaping import Link
from benchmarks.experiments import Scope, all_settings
from benchmarks.figures import draw_all
from benchmarks.findings import Results, paper_findings
from benchmarks.memory_figures import memory_figures
from benchmarks.page import PAGE_FILE, Calculated, write_page
from benchmarks.scale.scale_command import scale
from benchmarks.work import work_of
from benchmarks.workload import PAPER_CUT, write_yolov2
from gateway.broker.mosquitto import find_mosquitto
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from gateway.planning.methods import PAPER_METHODS, Method
from shared.cli.common_options import ParsedType, json_option
from shared.errors import ConfigurationError, DeepThingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.setting import BenchSetting
    from shared.model.network import Network

MAX_EDGES = 32
"""The largest number of devices that --edges accepts."""

PAPER_NETWORK = "YOLOv2, 16 layers"
"""Name of the network in tables of calculated figures."""


def parse_edges(text: str) -> tuple[int, ...]:
    """Read "1,2,6" or "1-6". Raises ConfigurationError."""
    counts: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= MAX_EDGES:
            raise ConfigurationError(f"edges {text!r}: write numbers from 1 to {MAX_EDGES}, as 1-6 or 1,2,6")
        counts.update(range(first, last + 1))
    return tuple(sorted(counts))


def parse_methods(text: str) -> tuple[Method, ...]:
    """Read "bodp,ftp-wst-s". Raises ConfigurationError."""
    try:
        methods = tuple(Method(part.strip()) for part in text.split(","))
    except ValueError:
        methods = ()
    if not set(methods) <= set(PAPER_METHODS) or not methods:
        raise ConfigurationError(f"methods {text!r}: write some of {', '.join(PAPER_METHODS)}, with commas")
    return methods


def parse_link(text: str) -> Link:
    """Read "100" or "100,shared" (Mbit/s). Raises ConfigurationError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(,\s*shared\s*)?", text)
    if match is None:
        raise ConfigurationError(f"link {text!r}: write Mbit/s, as 100, or 100,shared for one medium")
    return Link(float(match[1]), shared=match[2] is not None)


@click.group()
def command() -> None:
    """Measure clusters of real processes on an emulated network of weak devices."""


command.add_command(scale)


@command.command()
@click.option("--edges", type=ParsedType("N,N", parse_edges), help="Numbers of devices.  [default: 1-6; quick: 1,6]")
@click.option(
    "--methods",
    type=ParsedType("METHOD,METHOD", parse_methods),
    default=",".join(PAPER_METHODS),
    help="Methods to compare.",
)
@click.option(
    "--link",
    type=ParsedType("MBIT", parse_link),
    default="100",
    help="Mbit/s of each device's link; with ,shared: of one medium for all.",
)
@click.option("--quick", is_flag=True, help="Under five minutes: fewer settings and frames.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bench-output"),
    help="Folder for the results.",
)
@json_option
def paper(
    edges: tuple[int, ...] | None, methods: tuple[Method, ...], link: Link, quick: bool, out: Path, as_json: bool
) -> None:
    """Repeat the paper's experiments: write tables, figures, and a page that compares our results with the paper's.

    Weak devices and their network are emulated with network namespaces and control groups, which needs root. Without
    root, processes run unlimited on loopback. Measurements are kept in the folder: an interrupted run continues there.
    """
    find_mosquitto()
    scope = Scope(edges or ((1, 6) if quick else (1, 2, 3, 4, 5, 6)), methods, link.rate_mbit, link.shared, quick)
    console = Console(stderr=True)
    campaign = Campaign.open(out)
    campaign.reason = emulation_unavailable_reason(link)
    if campaign.reason:
        print_line(f"Not shaped: {campaign.reason}", console)
    begun = time.monotonic()
    wanted = all_settings(scope)
    _measure(campaign, wanted, console)
    with console.status("memory"):
        network, calculated = _calculate(out / "models", measured=not quick)
    memory = calculated[PAPER_NETWORK].memory
    results = Results(scope, [measured for measured in campaign.measurements if measured.setting in set(wanted)])
    if not results.all:
        raise DeepThingsError(f"nothing was measured: {next(iter(campaign.failures.values()), 'no setting fits')}")
    found = paper_findings(results, memory)
    drawn = draw_all(results, memory, out, network)
    (out / PAGE_FILE).write_text(write_page(campaign, results, found, drawn, calculated))
    seconds = time.monotonic() - begun
    print_line(f"{len(results.all)} settings in {seconds:.0f} s; the page is {out / PAGE_FILE}", console)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found]))
    else:
        print("\n".join(f"{f.figure}: {f.ours}" + (f" (paper {f.paper})" if f.paper else "") for f in found))


def _calculate(folder: Path, *, measured: bool) -> tuple[Network, dict[str, Calculated]]:
    """Return the paper's network, and calculated figures of it and of the built-in network.

    If `measured`, the memory of the paper's network is measured as well.
    """
    papers, built_in = open_model(str(write_yolov2(folder, whole=False))), open_model(DEFAULT_MODEL)
    (cut,) = built_in.spec.cut
    return papers.network, {
        PAPER_NETWORK: Calculated(
            memory_figures(papers, PAPER_CUT, measured=measured), work_of(papers.network, [PAPER_CUT])
        ),
        DEFAULT_MODEL: Calculated(
            memory_figures(built_in, cut, measured=False), work_of(built_in.network, built_in.spec.cut)
        ),
    }


def _measure(campaign: Campaign, wanted: Sequence[BenchSetting], console: Console) -> None:
    run_campaign(partial(campaign.run, wanted), len(wanted), campaign.folder, console)
    print_failures(campaign.failures, console)
