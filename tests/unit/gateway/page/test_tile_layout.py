"""Tiles lie where the network's input shows the picture, without the bars beside it."""

from types import SimpleNamespace

import pytest

from gateway.page.tile_layout import MAX_LAYOUTS, WHOLE_PICTURE, TileLayouts, tile_boxes
from shared.ftp.region import Region


class Divided(SimpleNamespace):
    """In the place of a PartitionedModel."""


def divided(rows=3, columns=3, *, whole=False, cells=12, size=(416, 416), align="centre"):
    """A plan of equal tiles over a map of so many cells."""
    tiles = [
        SimpleNamespace(
            outputs=[
                Region(
                    row * cells // rows, column * cells // columns, (row + 1) * cells // rows,
                    (column + 1) * cells // columns,
                )
            ]
        )
        for row in range(rows)
        for column in range(columns)
    ]  # fmt: skip
    return Divided(
        stage=SimpleNamespace(whole=whole, tiles=tiles, cut=("map",)),
        model=SimpleNamespace(network=SimpleNamespace(input_size=size, shapes={"map": (1, 8, cells, cells)})),
        spec=SimpleNamespace(preprocessing=SimpleNamespace(align=align)),
    )


def test_a_square_picture_is_divided_as_the_grid_is():
    boxes = tile_boxes(divided(2, 2), (500, 500))
    assert boxes == [(0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1), (0.5, 0.5, 1, 1)]


@pytest.mark.parametrize("size", [(1920, 1080), (768, 576), (480, 640), (417, 415)])
@pytest.mark.parametrize("align", ["centre", "top-left"])
def test_the_tiles_cover_the_picture_once(size, align):
    boxes = tile_boxes(divided(align=align), size)
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) == pytest.approx(1, abs=1e-4)
    assert all(0 <= left < right <= 1 and 0 <= top <= bottom <= 1 for left, top, right, bottom in boxes)


def test_the_bars_above_and_below_belong_to_no_part_of_the_picture():
    """Of a wide picture, 416x234 of 416x416 pixels: bars of 91 rows; a third of the input ends at row 138.67."""
    top = tile_boxes(divided(), (1920, 1080))[0]
    assert top[3] == pytest.approx((416 / 3 - 91) / 234, abs=1e-4)


def test_a_tile_in_the_bars_only_has_no_area():
    boxes = tile_boxes(divided(8, 1, cells=8), (4000, 1000))
    assert boxes[0][1] == boxes[0][3] == 0


def test_a_division_that_is_gone_is_not_taken_for_another():
    layouts, plan = TileLayouts(), divided(2, 2)
    layouts.boxes(plan, (640, 480))
    other = divided(1, 2)
    layouts._known[id(other), (640, 480)] = layouts._known[id(plan), (640, 480)]
    assert len(layouts.boxes(other, (640, 480))) == 2


def test_a_whole_frame_is_one_tile():
    assert tile_boxes(divided(1, 1), (640, 480)) == [WHOLE_PICTURE]
    assert tile_boxes(divided(whole=True), (640, 480)) == [WHOLE_PICTURE]


def test_layouts_are_computed_once_and_not_kept_without_bound():
    layouts, plan = TileLayouts(), divided()
    assert layouts.boxes(plan, (640, 480)) is layouts.boxes(plan, (640, 480))
    for width in range(100, 100 + 2 * MAX_LAYOUTS):
        layouts.boxes(plan, (width, 100))
    assert len(layouts._known) <= MAX_LAYOUTS
