from __future__ import annotations

import numpy as np
import pytest

from gateway.partitioned import PartitionedModel
from gateway.plan_picture import HEIGHT, WIDTH, draw_plan
from shared.ftp.grid import Grid


def draw(model, grid, cut=None, caption="caption", shade=90):
    size = model.network.input_size
    return draw_plan(PartitionedModel.of(model, grid, cut), np.full((*size, 3), shade, np.uint8), caption)


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(1, 2), Grid(3, 3), Grid(6, 6)], ids=str)
def test_a_plan_of_any_grid_is_a_picture_of_one_size(nanodet, grid):
    picture = draw(nanodet, grid)
    assert (picture.shape, picture.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)


def test_grids_cuts_frames_and_captions_are_seen(nanodet):
    usual = draw(nanodet, Grid(3, 3))
    others = [
        draw(nanodet, Grid(5, 5)), draw(nanodet, Grid(3, 3), "concat_13"), draw(nanodet, Grid(3, 3), shade=200),
        draw(nanodet, Grid(3, 3), caption="another"), draw(nanodet, Grid(3, 3), "concat_44,concat_28"),
    ]  # fmt: skip
    assert all((usual != other).any() for other in others)
    assert (usual == draw(nanodet, Grid(3, 3))).all()


def test_the_halo_is_hatched_and_the_tile_s_own_part_is_not(nanodet):
    """Of a frame of one grey the tile's own part stays even; around it there are lines."""
    partitioned = PartitionedModel.of(nanodet, Grid(3, 3))
    picture = draw(nanodet, Grid(3, 3)).astype(int)
    factor = 800 / 416
    tile = partitioned.stage.tiles[4]
    own = [round(8 * edge * factor) for edge in (tile.outputs[0].top, tile.outputs[0].bottom)]
    read = round(tile.input.top * factor)
    column = slice(40 + own[0] + 40, 40 + own[1] - 20)
    inside = picture[110 + own[0] + 60 : 110 + own[1] - 20, column]
    halo = picture[110 + read + 10 : 110 + own[0] - 10, column]
    assert inside.std(axis=(0, 1)).max() < 1
    assert halo.std(axis=(0, 1)).max() > 10
