"""`deepthings verify`: compares the tiles with the whole network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camera_sources.kinds.picture_folder import read_picture
from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.commands.model_description import describe_decoding
from gateway.commands.model_options import cut_option, divided_method_option, grid_option, model_option, weights_option
from gateway.models.catalogue import open_model
from gateway.planning.methods import Method
from gateway.planning.partitioned import PartitionedModel, verify_tiles
from shared.cli.common_options import json_option, threads_option
from shared.errors import DeepThingsError
from shared.model.letterbox import Letterbox
from shared.process.usable_cores import computing_cores

if TYPE_CHECKING:
    from gateway.planning.partitioned import Difference
    from shared.ftp.grid import Grid


@click.command()
@model_option
@weights_option
@divided_method_option
@grid_option
@cut_option
@click.option("--image", type=click.Path(path_type=Path), help="A picture, instead of the first frame of the footage.")
@threads_option
@json_option
def command(
    model: str,
    weights: Path | None,
    method: Method,
    grid: Grid,
    cut: str | None,
    image: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Run a picture through the tiles and through the unpartitioned network, and compare the maps."""
    opened = open_model(model, weights)
    whole = method is Method.WHOLE and not cut
    partitioned = PartitionedModel.whole(opened) if whole else PartitionedModel.of(opened, grid, cut, method)
    picture = read_picture(image) if image else next(open_source(str(FOOTAGE)).pictures())
    letterbox = Letterbox.for_picture(
        picture.shape, partitioned.model.network.input_size, partitioned.spec.preprocessing
    )
    pixels = letterbox.apply(picture, partitioned.spec.preprocessing)
    difference, engine = verify_tiles(partitioned, pixels, computing_cores(threads).count)
    layers = sum(len(stage.layers) for stage in partitioned.stages)
    stage = partitioned.stage
    if as_json:
        print(json.dumps(report_of(partitioned, method, difference, engine)))
    else:
        extent = "as a whole" if whole else f"up to {', '.join(stage.cut)} in {stage.grid} tiles"
        print(
            f"{partitioned.spec.name}, {layers} layers {extent}: "
            f"largest difference {difference.max_abs_diff:.3g} (standard deviation {difference.map_std:.3g})"
        )
        print(describe_decoding(partitioned.model))
    if not difference.exact:
        raise DeepThingsError(
            f"the {'outputs' if whole else 'tiles'} are not exact: they differ by {difference.max_abs_diff:.3g}; "
            "please report this with the model"
        )


def report_of(partitioned: PartitionedModel, method: Method, difference: Difference, engine: str) -> dict[str, object]:
    """Return what `--json` prints about a comparison whose tiles were computed by `engine`."""
    stage = partitioned.stage
    return {
        "model": partitioned.spec.name,
        "grid": str(stage.grid),
        "cut": list(stage.cut),
        "method": method,
        "stages": len(partitioned.stages),
        "layers": sum(len(stage.layers) for stage in partitioned.stages),
        "tiles": len(stage.tiles),
        "engine": engine,
        "max_abs_diff": difference.max_abs_diff,
        "map_std": difference.map_std,
        "unreadable": partitioned.model.unreadable,
    }
