"""`deepthings detect`: pictures in, objects out, in one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camera_sources.kinds.picture_folder import read_picture
from gateway.annotation.boxes import annotate, write_picture
from gateway.commands.model_options import (
    cut_option,
    model_option,
    optional_grid_option,
    weights_option,
)
from gateway.models.catalogue import open_model
from gateway.options import DEFAULT_GRID
from gateway.planning.partitioned import PartitionedModel, TiledHead
from shared.cli.common_options import json_option, threads_option
from shared.errors import ConfigurationError
from shared.files.unfinished import remove_abandoned
from shared.model.letterbox import Letterbox
from shared.process.usable_cores import computing_cores

if TYPE_CHECKING:
    from shared.ftp.grid import Grid
    from shared.payloads.cluster import DetectedObject


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_option
@weights_option
@optional_grid_option
@cut_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the annotated picture; for several, a folder.")
@threads_option
@json_option
def command(
    images: tuple[Path, ...],
    model: str,
    weights: Path | None,
    grid: Grid | None,
    cut: str | None,
    out: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Detect objects in IMAGE..., with the network as a whole, or tile by tile as a cluster would."""
    opened = open_model(model, weights)
    tiled = grid is not None or cut is not None
    partitioned = PartitionedModel.of(opened, grid or DEFAULT_GRID, cut) if tiled else PartitionedModel.whole(opened)
    cores = computing_cores(threads).count
    head = TiledHead(partitioned, cores)
    detector = partitioned.detector(cores)
    if out is not None and len(images) > 1 and out.suffix:
        raise ConfigurationError(f"--out {out}: several pictures need a folder to be written to")
    if out is not None:
        remove_abandoned(out.parent if out.suffix else out)
    for path in images:
        picture = read_picture(path)
        letterbox = Letterbox.for_picture(
            picture.shape, partitioned.model.network.input_size, partitioned.spec.preprocessing
        )
        maps = head.run(letterbox.apply(picture, partitioned.spec.preprocessing))
        objects = detector.detect(maps, letterbox).objects
        if as_json:
            print(json.dumps({"image": str(path), "objects": [found.model_dump() for found in objects]}))
        else:
            print(f"{path}: {_sentence(objects)}")
        if out is not None:
            write_picture(out if out.suffix else out / f"{path.stem}.png", annotate(picture, objects))


def _sentence(objects: tuple[DetectedObject, ...]) -> str:
    return ", ".join(f"{found.label} {found.score:.2f} at {_place(found)}" for found in objects) or "nothing found"


def _place(found: DetectedObject) -> str:
    left, top, right, bottom = found.box
    return f"({left:.0f}, {top:.0f})-({right:.0f}, {bottom:.0f})"
