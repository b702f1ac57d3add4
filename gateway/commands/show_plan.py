"""`deepthings plan`: possible cuts of a network, and the memory of its tiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from rich.console import Console

from camera_sources.kinds.picture_folder import read_picture
from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.annotation.boxes import write_picture
from gateway.commands.model_description import describe_decoding
from gateway.commands.model_options import cut_option, grid_option, model_option, plan_method_option, weights_option
from gateway.models.catalogue import choose_cut, open_model, why_whole_only
from gateway.plan_report.plan_explanation import explain_plans, render_explanation
from gateway.plan_report.plan_figures import PlanReport, report_on
from gateway.plan_report.plan_picture import draw_plan
from gateway.plan_report.tables import render_plan_tables
from gateway.plan_report.whole_report import report_on_whole
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel
from shared.cli.common_options import json_option
from shared.errors import ConfigurationError
from shared.model.letterbox import Letterbox

if TYPE_CHECKING:
    from gateway.models.catalogue import Model
    from shared.ftp.grid import Grid
    from shared.model.arrays import Pixels

DEFAULT_SPEEDS = "1,1,1,1"
"""The default of --devices: four equal devices."""

MAX_EXPLAINED_DEVICES = 64
"""Devices of --devices; a search for more takes minutes."""

OPTIONS_OF_EXPLANATIONS = frozenset(["devices", "gateway_speed", "link_mbit_per_s", "memory_mib"])
OPTIONS_OF_TILES = frozenset(["method", "image", "png", "quick"])

PIPE_WIDTH = 120
"""Characters of a line when the output is not a terminal."""


def _parse_speeds(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Return the speeds in a text such as "1,1,0.5". Raises BadParameter."""
    try:
        speeds = tuple(float(part) for part in (DEFAULT_SPEEDS if text is None else text).split(","))
    except ValueError:
        speeds = ()
    if not speeds or len(speeds) > MAX_EXPLAINED_DEVICES or not all(1e-3 <= speed <= 1e3 for speed in speeds):
        raise click.BadParameter(
            f"{text!r} is no list of speeds; write a number between 0.001 and 1000 for each of up to "
            f"{MAX_EXPLAINED_DEVICES} edges, as 1,1,0.5"
        )
    return speeds


@click.command()
@model_option
@weights_option
@plan_method_option
@grid_option
@cut_option
@click.option("--image", type=click.Path(path_type=Path), help="The picture of --png, instead of the footage's first.")
@click.option("--png", type=click.Path(path_type=Path), help="Draw the tiles and the halo into this file.")
@click.option("--quick", is_flag=True, help="Do not measure memory, which takes some seconds.")
@click.option("--explain", is_flag=True, help="Explain which plan method auto chooses for --devices, and why.")
@click.option(
    "--devices", metavar="SPEEDS", callback=_parse_speeds,
    help="With --explain: the speed of each edge relative to this device, as 1,1,0.5; the first has the camera.  "
    "[default: 1,1,1,1]",
)  # fmt: skip
@click.option(
    "--gateway-speed", type=click.FloatRange(1e-3, 1e3), default=1.0,
    help="With --explain: the gateway's, relative to this device.",
)  # fmt: skip
@click.option(
    "--link", "link_mbit_per_s", type=click.FloatRange(0.1, 1e5), default=100.0, metavar="MBIT/S",
    help="With --explain: what each device's link carries.",
)  # fmt: skip
@click.option(
    "--memory", "memory_mib", type=click.IntRange(1), metavar="MIB",
    help="With --explain: the memory of each edge for plans.  [default: as much as they need]",
)  # fmt: skip
@json_option
def command(
    model: str, weights: Path | None, method: Method, grid: Grid, cut: str | None, image: Path | None,
    png: Path | None, quick: bool, explain: bool, devices: tuple[float, ...], gateway_speed: float,
    link_mbit_per_s: float, memory_mib: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Show where the network can be cut, what each cut costs, and how much memory the tiles need."""
    if image and not png:
        raise ConfigurationError(f"--image {image} needs --png, as it is the picture to draw on; add --png FILE")
    _refuse_unread_options(explain=explain)
    opened = open_model(model, weights)
    if explain:
        _show_explanation(opened, devices, gateway_speed, link_mbit_per_s, cut, grid, memory_mib or 0, as_json=as_json)
        return
    if method is Method.WHOLE or (not cut and why_whole_only(opened)):
        _show_whole(opened, png, measured=not quick, as_json=as_json)
        return
    partitioned = PartitionedModel.of(opened, grid, cut)
    report = report_on(partitioned, measured=not quick)
    if png:
        write_picture(png, draw_plan(partitioned, _frame(partitioned, image), plan_caption(report)))
    if as_json:
        print(report.model_dump_json())
    else:
        console = _console()
        console.print(render_plan_tables(report, console.width))
        print(f"\n{describe_decoding(partitioned.model)}")


def _refuse_unread_options(*, explain: bool) -> None:
    """Refuse options that only --explain reads, or that it does not read. Raises ConfigurationError."""
    context = click.get_current_context()
    for option in context.command.params:
        if option.name is None or context.get_parameter_source(option.name) is ParameterSource.DEFAULT:
            continue
        if not explain and option.name in OPTIONS_OF_EXPLANATIONS:
            raise ConfigurationError(f"{option.opts[0]} describes a cluster to --explain; add --explain, or remove it")
        if explain and option.name in OPTIONS_OF_TILES:
            raise ConfigurationError(f"--explain does not read {option.opts[0]}, as it compares all plans; remove it")


def _console() -> Console:
    console = Console()
    return Console(width=console.width if console.is_terminal else PIPE_WIDTH, highlight=False)


def _show_explanation(
    model: Model, devices: tuple[float, ...], gateway_speed: float, link_mbit_per_s: float, cut: str | None,
    grid: Grid, memory_mib: int, *, as_json: bool,
) -> None:  # fmt: skip
    given = click.get_current_context().get_parameter_source("grid") is not ParameterSource.DEFAULT
    maps = choose_cut(model, cut, grid) if cut else ()
    explanation = explain_plans(
        model, devices, gateway_speed, link_mbit_per_s, maps, grid if given else None, memory_mib
    )
    if as_json:
        print(explanation.model_dump_json())
    else:
        _console().print(render_explanation(explanation))


def _show_whole(model: Model, png: Path | None, *, measured: bool, as_json: bool) -> None:
    if png:
        raise ConfigurationError(f"--png {png} draws tiles, but {model.spec.name} runs whole here; remove it")
    report = report_on_whole(model, measured=measured)
    print(report.model_dump_json() if as_json else f"{report.in_words()}\n\n{describe_decoding(model)}")


def _frame(partitioned: PartitionedModel, image: Path | None) -> Pixels:
    """Return a letterboxed picture, uint8 BGR (H, W, 3)."""
    picture = read_picture(image) if image else next(open_source(str(FOOTAGE)).pictures())
    preprocessing = partitioned.spec.preprocessing
    pixels = Letterbox.for_picture(picture.shape, partitioned.model.network.input_size, preprocessing).apply(
        picture, preprocessing
    )
    return pixels if preprocessing.channels == "bgr" else pixels[:, :, ::-1].copy()


def plan_caption(report: PlanReport) -> str:
    """Return the costs of the tiles, and the memory that they save, as text."""
    tiled = report.memory.analytic.grids[report.grid]
    memory = f"{tiled.peak_reduction:.0%} less memory" if tiled.peak_reduction >= 0.005 else "as much memory"
    return (
        f"All tiles together are {report.chosen.work_factor:.2f} times the work of the whole; each needs "
        f"{memory}. Any device may compute any tile, and nothing is exchanged in between."
    )
