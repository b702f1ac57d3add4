from __future__ import annotations

import random

import pytest

from gateway.observation.tracking.rest import Rest
from tests.unit.gateway.observation.tracking.moving import standing

BOX = standing(400.0)  # 80 x 200 px


def moved(box, dx=0.0, dy=0.0):
    left, top, right, bottom = box
    return left + dx, top + dy, right + dx, bottom + dy


def test_what_does_not_move_rests_since_the_beginning():
    rest = Rest(BOX, 100.0)
    for at in range(101, 200):
        rest.see(BOX, at)
    assert rest.since == 100.0


@pytest.mark.parametrize("seed", range(5))
def test_a_trembling_box_is_at_rest(seed):
    rest, chance = Rest(BOX, 0.0), random.Random(seed)
    for at in range(1, 5000):
        left, top, right, bottom = (
            side + chance.gauss(0, 0.04 * size) for side, size in zip(BOX, (80, 200, 80, 200), strict=True)
        )
        rest.see((left, top, right, bottom), at)
    assert rest.since == 0.0


def test_a_step_aside_is_noticed_with_the_second_box():
    rest = Rest(BOX, 0.0)
    for at in range(1, 30):
        rest.see(BOX, at)
    rest.see(moved(BOX, dx=30), 30)
    rest.see(moved(BOX, dx=35), 31)
    assert rest.since == 31


def test_what_is_gone_from_its_place_is_noticed_with_the_first_box():
    rest = Rest(BOX, 0.0)
    for at in range(1, 30):
        rest.see(BOX, at)
    rest.see(moved(BOX, dx=60), 30)
    assert rest.since == 30


def test_a_single_wild_box_is_no_motion():
    rest = Rest(BOX, 0.0)
    for at in range(1, 100):
        rest.see(moved(BOX, dx=35) if at % 10 == 0 else BOX, at)
    assert rest.since == 0.0


def test_a_slow_walker_never_rests_long():
    rest = Rest(BOX, 0.0)
    for at in range(1, 100):
        rest.see(moved(BOX, dx=5.0 * at), at)
        assert at - rest.since <= 10


def test_what_is_half_hidden_for_a_while_has_not_moved():
    rest, (left, top, right, bottom) = Rest(BOX, 0.0), BOX
    for at in range(1, 20):
        rest.see((left, top, right, bottom - 100 if 5 < at < 15 else bottom), at)
    assert rest.since == 0.0


def test_coming_nearer_on_the_spot_is_motion():
    rest = Rest(BOX, 0.0)
    for at in range(1, 21):
        height = 200.0 + 10 * at
        rest.see(standing(400.0, 600.0 + 5 * at, height), at)
    assert rest.since > 0


def test_the_place_goes_with_the_size_of_the_picture():
    rest = Rest(BOX, 0.0).scaled(0.5, 0.5)
    rest.see(tuple(side / 2 for side in BOX), 1.0)
    rest.see(tuple(side / 2 for side in BOX), 2.0)
    assert rest.since == 0.0
