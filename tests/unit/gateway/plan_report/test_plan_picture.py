from __future__ import annotations

import numpy as np
import pytest

from gateway.plan_report.plan_picture import (
    ACCENT,
    FRAME_SIDE,
    HEIGHT,
    MARGIN,
    TOP,
    WIDTH,
    draw_plan,
    picture_sentences,
)
from gateway.planning.partitioned import PartitionedModel
from shared.ftp.grid import Grid


def draw(model, grid, cut=None, caption="caption", shade=90):
    size = model.network.input_size
    return draw_plan(PartitionedModel.of(model, grid, cut), np.full((*size, 3), shade, np.uint8), caption)


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(1, 2), Grid(3, 3), Grid(6, 6), Grid(52, 52)], ids=str)
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
    factor = FRAME_SIDE / 416
    tile = partitioned.stage.tiles[4]
    own = [round(8 * edge * factor) for edge in (tile.outputs[0].top, tile.outputs[0].bottom)]
    read = round(tile.inputs[0].top * factor)
    column = slice(MARGIN + own[0] + 50, MARGIN + own[1] - 20)
    inside = picture[TOP + own[0] + 60 : TOP + own[1] - 20, column]
    halo = picture[TOP + read + 10 : TOP + own[0] - 10, column]
    assert inside.std(axis=(0, 1)).max() < 1
    assert halo.std(axis=(0, 1)).max() > 10


def test_what_a_tile_at_the_border_reads_is_outlined_on_all_sides(nanodet):
    picture = draw(nanodet, Grid(2, 2))
    right, bottom = MARGIN + FRAME_SIDE, TOP + FRAME_SIDE
    for row, column in ((bottom - 100, right), (bottom, right - 100)):
        assert picture[row, column].tolist() == list(ACCENT)


def test_the_words_below_the_frame_say_what_a_tile_reads(nanodet):
    computes, halo, border = words_of(nanodet, Grid(3, 3))
    assert "Tile 5 computes 96x96 pixels" in computes
    assert "215x215" in computes
    assert "halo of 63 pixels" in halo
    assert "border" in border


def test_a_tile_without_a_halo_is_said_to_read_no_more_than_its_own(nanodet):
    (only,) = words_of(nanodet, Grid(1, 1))
    assert only == "Tile 1 computes 416x416 pixels of the frame, and reads no more than these."


def words_of(model, grid):
    partitioned = PartitionedModel.of(model, grid)
    return picture_sentences(partitioned, partitioned.stage.tiles[partitioned.stage.grid.count // 2])
