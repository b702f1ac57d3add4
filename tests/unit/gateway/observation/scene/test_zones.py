from __future__ import annotations

import pytest

from gateway.observation.scene.zones import ZonePresence
from tests.unit.gateway.observation.scene.filming import IMAGE, Camera, person

YARD = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
"""The right half."""


def camera(fps=10.0, track=("person", "car"), **zone):
    return Camera(fps, track=track, zones={"yard": {"coordinates": YARD, **zone}})


def zones(state):
    """Zones of everybody, by id."""
    return [found.zones for found in state.all.objects]


def seen(presence, *inside, inertia=3, loitering_time_s=0.0):
    """Whether it counts after each frame, one a second."""
    counted = []
    for at, is_inside in enumerate(inside):
        presence.see(inside=is_inside, at=float(at), inertia=inertia, loitering_time_s=loitering_time_s)
        counted.append(presence.counts)
    return counted


def test_inertia_asks_for_frames_in_a_row():
    assert seen(ZonePresence(), True, True, False, True, True, True) == [False] * 5 + [True]


def test_it_takes_as_many_to_leave():
    assert seen(ZonePresence(), *[True] * 3, False, True, False, False, False) == [False, False, *[True] * 5, False]


def test_an_inertia_of_one_is_none():
    assert seen(ZonePresence(), True, False, True, inertia=1) == [True, False, True]


def test_loitering_time_begins_with_the_last_frame_of_the_inertia():
    assert seen(ZonePresence(), *[True] * 8, inertia=2, loitering_time_s=5.0) == [False] * 6 + [True] * 2


def test_who_leaves_must_loiter_anew():
    presence = ZonePresence()
    seen(presence, *[True] * 5, False, inertia=1, loitering_time_s=3.0)
    assert seen(presence, *[True] * 4, inertia=1, loitering_time_s=3.0) == [False, False, False, True]


@pytest.mark.parametrize(("x", "there"), [(499, False), (500, True), (501, True)])
def test_an_object_is_in_a_zone_when_it_stands_there_sides_count(x, there):
    state = camera().film(person(x), frames=5)
    assert zones(state) == [("yard",) if there else ()]
    assert state.zones["yard"]["person"].count == state.zones["yard"]["all"].count == there


def test_only_labels_of_the_zone_count_there():
    state = camera(objects=["car"]).film(person(700), person(900, label="car"), frames=5)
    assert {found.label: found.zones for found in state.all.objects} == {"person": (), "car": ("yard",)}
    assert set(state.zones["yard"]) == {"all", "car"}
    assert state.zones["yard"]["all"].count == 1


def test_a_zones_filter_holds_until_the_object_is_in_it():
    gate = camera(filters={"person": {"min_area": 5000}})
    small, large = person(700, height=100, width=40), person(700, height=110, width=50)
    assert zones(gate.film(small, frames=8)) == [()]
    assert zones(gate.film(large, frames=3)) == [("yard",)]
    assert zones(gate.film(small, frames=8)) == [("yard",)], "as in Frigate, who is in is in"


def test_a_zones_threshold_is_of_the_median_and_only_if_it_is_written():
    strict = camera(filters={"person": {"threshold": 0.85}})
    assert zones(strict.film(person(700, score=0.8), frames=8)) == [()]
    assert zones(strict.film(person(700, score=0.9), frames=12)) == [("yard",)]
    silent = Camera(zones={"yard": {"coordinates": YARD, "filters": {"person": {"min_area": 100}}}}, threshold=0.5)
    assert zones(silent.film(person(700, score=0.6), frames=5)) == [("yard",)]


def test_a_zones_filter_may_have_a_mask():
    gate = camera(filters={"person": {"mask": [YARD]}})
    assert zones(gate.film(person(700), frames=5)) == [()]


def test_slow_cameras_need_two_frames_for_a_zone():
    gate = camera(fps=0.5)
    gate.film(person(400), frames=5)
    assert [zones(gate.film(person(520))) for _ in range(2)] == [[()], [("yard",)]]


def test_who_is_out_of_sight_is_where_he_was():
    gate = camera()
    gate.film(person(700), frames=5)
    assert zones(gate.film(frames=20)) == [("yard",)]


def test_zones_in_parts_go_with_the_size_of_the_picture():
    gate, large = camera(), (IMAGE[0] * 2, IMAGE[1] * 2)
    gate.film(person(700), frames=5)
    state = gate.film(person(1400, 800, height=200, width=80, image=large), frames=5, image=large)
    assert zones(state) == [("yard",)]
    assert gate.kinds() == ["new"], "and it is the same object"


BOTH = {"yard": {"coordinates": YARD}, "all_of_it": {"coordinates": ((0, 0), (1, 0), (1, 1), (0, 1))}}


def test_in_a_zone_that_is_off_nobody_is_and_it_says_so():
    gate = Camera(zones=BOTH, off=["yard"])
    state = gate.film(person(700), frames=5)
    assert zones(state) == [("all_of_it",)]
    assert state.zones["yard"]["person"].count == 0
    assert gate.scene.explain().objects[0].zones["yard"] == "this zone is switched off"


def test_who_is_in_a_zone_leaves_it_when_it_is_switched_off_and_must_enter_it_again():
    gate = Camera(zones=BOTH)
    gate.film(person(700), frames=5)
    state = gate.apply(zones=BOTH, off=["yard"])
    assert state.zones["yard"]["all"].count == 0
    assert state.zones["all_of_it"]["all"].count == 1
    assert gate.film(person(700), frames=5).zones["yard"]["all"].count == 0
    assert gate.apply(zones=BOTH).zones["yard"]["all"].count == 0
    assert [gate.film(person(700)).zones["yard"]["all"].count for _ in range(3)] == [0, 0, 1]


def test_a_zone_that_is_off_is_so_after_an_absence():
    gate = Camera(zones=BOTH)
    gate.film(person(700), frames=5)
    gate.restart(zones=BOTH, off=["yard"])
    assert zones(gate.film(person(700), frames=5)) == [("all_of_it",)]
    assert "person_in_yard" not in gate.words()[3:]
