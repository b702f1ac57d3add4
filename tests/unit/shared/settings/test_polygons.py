from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.settings.polygons import (
    MAX_CORNERS,
    Polygon,
    Polygons,
    is_relative,
    parse_polygon,
    polygon_area,
    polygon_contains,
    polygon_sides,
    scale_polygon,
)

TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
HOUSE = parse_polygon("0,40,50,0,100,40,100,100,0,100")
"""A pentagon in pixels."""
ARROW = parse_polygon("0,0,100,0,50,40,100,100,0,100")
"""With a corner that points inwards."""


@st.composite
def stars(draw):
    """Polygons in pixels around a centre: any distances at rising angles make no crossing."""
    corners = draw(st.integers(3, 12))
    centre = draw(st.tuples(st.integers(300, 700), st.integers(300, 700)))
    radii = draw(st.lists(st.integers(20, 250), min_size=corners, max_size=corners))
    turns = [2 * math.pi * number / corners for number in range(corners)]
    x, y = centre
    return tuple((x + r * math.cos(t), y + r * math.sin(t)) for r, t in zip(radii, turns, strict=True)), centre


points = st.tuples(st.floats(0, 1000), st.floats(0, 1000))


@pytest.mark.parametrize(
    "written",
    ["0,0,1,0,1,1", " 0 , 0, 1,0 ,1,1", [0, 0, 1, 0, 1, 1], ["0,0", "1,0", "1,1"], [[0, 0], [1, 0], [1, 1]],
     ((0, 0), (1, 0), (1, 1)), ["0", "0", "1", "0", "1", "1"], "0,0,1,0,1,1,0,0"],
)  # fmt: skip
def test_all_ways_to_write_corners_mean_the_same(written):
    assert parse_polygon(written) == TRIANGLE


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("0,0,1,0,1", "an odd number of numbers (5); write x,y for each corner"),
        ("0,0,1,1", "2 corners enclose no area; write three or more"),
        ([], "0 corners enclose no area; write three or more"),
        (5, 'not a polygon; write "x,y,x,y,x,y" with three or more corners'),
        ("", "a part is not a number; write"),
        ("0,0,1,0,1,x", "a part is not a number; write"),
        ("0,0,1,0,1,nan", "a part is not a number; write"),
        ("0,0,1,0,1,inf", "a part is not a number; write"),
        ([0, 0, 1, 0, 1, True], "a part is not a number; write"),
        ([0, 0, 1, 0, 1, {}], "a part is not a number; write"),
        ([[0, 0], [1, 0], [1]], "a corner has 1 numbers; write two, [x, y]"),
        ("0,0,1,0,1,-0.5", "-0.5 is negative; write parts of the picture from 0 to 1, or pixels"),
        (f"0,0,1,0,1,{MAX_PICTURE_SIDE + 1}", "16385 is larger than any picture; write parts of the picture"),
        ("0,0,0.5,0.5,1,1", "its corners are on one line, so it encloses no area; move one of them"),
        ("0.1,0.1,0.2,0.2,0.3,0.3", "its corners are on one line"),
        ("0.5,0.5,0.5,0.5,0.5,0.5", "its corners are on one line"),
        (
            "0,0,1,1,1,0,0,1",
            "the sides from corner 1 and from corner 3 cross or touch; list the corners in their order",
        ),
        ("0,0,4,0,4,4,2,0,0,4", "the sides from corner 1 and from corner 3 cross or touch"),
        ("0,0,4,0,2,0,2,4", "the sides from corner 1 and from corner 2 cross or touch"),
        ("0,0,0,0,1,0,1,1", "the sides from corner 1 and from corner 2 cross or touch"),
        ("0,0,1.2,0,1,1", "a number is above 1, so all are pixels, but the area is less than one pixel; write parts"),
        ([n / 500 for n in range(2 * MAX_CORNERS + 2)], "201 corners are too many; write at most 200"),
    ],
)
def test_what_is_no_polygon_is_refused_with_what_would_be_right(written, what):
    with pytest.raises(ValueError, match=r".") as refused:
        parse_polygon(written)
    assert str(refused.value).startswith(what)


@given(stars())
def test_a_polygon_without_crossings_is_taken_as_it_is(star):
    corners, centre = star
    polygon = parse_polygon(corners)
    assert polygon == corners
    assert polygon_contains(polygon, *centre)


@given(stars(), st.data())
def test_two_corners_exchanged_make_a_crossing_or_another_polygon(star, data):
    """What is accepted never crosses itself: its area by triangles is that by counting points."""
    corners = list(star[0])
    first, second = data.draw(st.tuples(*[st.integers(0, len(corners) - 1)] * 2))
    corners[first], corners[second] = corners[second], corners[first]
    try:
        polygon = parse_polygon(corners)
    except ValueError:
        assume(False)
    grid = range(5, 1000, 10)
    counted = sum(polygon_contains(polygon, x, y) for x in grid for y in grid) * 100
    length = sum(math.dist(*side) for side in polygon_sides(polygon))
    assert abs(counted - polygon_area(polygon)) <= 15 * length + 100


@given(stars(), points)
def test_inside_is_what_every_ray_says(star, point):
    """Away from the sides, the winding number, which is computed in another way, agrees."""
    polygon, (x, y) = star[0], point
    assume(all(_distance(side, point) > 1e-6 for side in polygon_sides(polygon)))
    turned = sum(_angle(side, point) for side in polygon_sides(polygon))
    assert polygon_contains(polygon, x, y) == (abs(turned) > math.pi)


@given(stars(), st.integers(0, 11), st.floats(0, 1))
def test_sides_count_as_inside(star, number, along):
    polygon = star[0]
    (x1, y1), (x2, y2) = polygon_sides(polygon)[number % len(polygon)]
    assert polygon_contains(polygon, x1 + along * (x2 - x1), y1 + along * (y2 - y1))


@given(stars(), points)
def test_neither_the_first_corner_nor_the_direction_matters(star, point):
    polygon = star[0]
    assume(all(_distance(side, point) > 1e-6 for side in polygon_sides(polygon)))
    turned = (*polygon[1:], polygon[0])
    assert (
        polygon_contains(polygon, *point) == polygon_contains(turned, *point) == polygon_contains(polygon[::-1], *point)
    )


@pytest.mark.parametrize(
    ("polygon", "point", "inside"),
    [
        (HOUSE, (50, 50), True), (HOUSE, (50, 0), True), (HOUSE, (0, 100), True), (HOUSE, (0, 70), True),
        (HOUSE, (1, 1), False), (HOUSE, (101, 70), False), (HOUSE, (-1, 40), False), (HOUSE, (150, 40), False),
        (ARROW, (50, 20), True), (ARROW, (90, 40), False), (ARROW, (50, 40), True), (ARROW, (49.9, 40), True),
    ],
)  # fmt: skip
def test_points_of_known_polygons(polygon, point, inside):
    assert polygon_contains(polygon, *point) is inside


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6), st.integers(1, 4000), st.integers(1, 4000))
def test_parts_become_pixels_and_pixels_stay(numbers, width, height):
    try:
        polygon = parse_polygon(numbers)
    except ValueError:
        assume(False)
    assert is_relative(polygon)
    assert scale_polygon(polygon, width, height) == tuple((x * width, y * height) for x, y in polygon)
    assert scale_polygon(HOUSE, width, height) == HOUSE


def test_the_whole_picture_is_a_polygon_in_parts():
    assert scale_polygon(parse_polygon("0,0,1,0,1,1,0,1"), 640, 480) == ((0, 0), (640, 0), (640, 480), (0, 480))


@given(stars())
def test_a_polygon_survives_json(star):
    adapter = TypeAdapter(Polygon)
    polygon = adapter.validate_python(star[0])
    assert adapter.validate_json(adapter.dump_json(polygon)) == polygon


@pytest.mark.parametrize(
    ("written", "count"),
    [("0,0,1,0,1,1", 1), (["0,0,1,0,1,1"], 1), (["0,0,1,0,1,1", "0,0,1,0,0,1"], 2), ([0, 0, 1, 0, 1, 1], 1),
     ([[0, 0], [1, 0], [1, 1]], 1), ([[[0, 0], [1, 0], [1, 1]]], 1), ([[0, 0, 1, 0, 1, 1], "0,0,1,0,0,1"], 2),
     (["0,0", "1,0", "1,1"], 1), ([], 0)],
)  # fmt: skip
def test_a_single_polygon_stands_for_a_list_of_it(written, count):
    assert len(TypeAdapter(Polygons).validate_python(written)) == count


@pytest.mark.parametrize("written", [5, {}, "", [""], [[0, 0, 1, 0, 1, 1], 5]])
def test_what_is_no_list_of_polygons_is_refused(written):
    with pytest.raises(ValidationError):
        TypeAdapter(Polygons).validate_python(written)


def _distance(side, point):
    """From a point to a side."""
    (x1, y1), (x2, y2) = side
    length = (x2 - x1) ** 2 + (y2 - y1) ** 2
    along = ((point[0] - x1) * (x2 - x1) + (point[1] - y1) * (y2 - y1)) / length
    nearest = min(1, max(0, along))
    return math.dist(point, (x1 + nearest * (x2 - x1), y1 + nearest * (y2 - y1)))


def _angle(side, point):
    """By how much one turns who looks from the point along the side."""
    begin, end = (math.atan2(y - point[1], x - point[0]) for x, y in side)
    return (end - begin + math.pi) % (2 * math.pi) - math.pi
