from __future__ import annotations

import numpy as np
import pytest

from camera_sources.agent.motion_gate import MotionGate
from camera_sources.camera_settings import MotionSettings

RNG = np.random.default_rng(1)
FPS = 10


def scene(square=None, size=(180, 320), brightness=100, noise=6):
    """A noisy grey wall, and perhaps a white square: left, top, side."""
    picture = np.clip(RNG.normal(brightness, noise, (*size, 3)), 0, 255).astype(np.uint8)
    if square:
        left, top, side = square
        picture[top : top + side, left : left + side] = 230
    return picture


def passing(pictures, begin=0.0, gate=None, **settings):
    """Numbers of those that pass, at ten a second."""
    gate = gate or MotionGate(MotionSettings(enabled=True, **{"keep_alive": 3600, "hold": 0, **settings}))
    return [number for number, picture in enumerate(pictures) if gate.passes(picture, begin + number / FPS)]


def test_a_gate_that_is_not_enabled_lets_all_pass():
    gate = MotionGate(MotionSettings(enabled=False))
    assert all(gate.passes(scene(), number) for number in range(5))


def test_of_a_still_scene_only_the_first_picture_passes():
    assert passing([scene() for _ in range(100)]) == [0]


def test_now_and_then_a_still_scene_passes_all_the_same():
    assert passing([scene() for _ in range(70)], keep_alive=2) == [0, 20, 40, 60]


def test_what_walks_through_passes_at_once_and_as_long_as_it_walks():
    pictures = [scene((20 + 6 * (number - 30), 60, 40) if 30 <= number < 60 else None) for number in range(90)]
    found = passing(pictures)
    assert set(range(30, 60)) <= set(found)
    assert [number for number in found if 1 < number < 30] == []


def test_what_is_slow_passes_too():
    pictures = [scene((20 + number, 60, 40)) for number in range(60)]
    assert len(passing(pictures)) > 50


def test_pictures_are_held_for_a_while_after_the_last_motion():
    pictures = [scene((100, 60, 40) if number == 20 else None) for number in range(60)]
    still = [number for number in passing(pictures, hold=1.0) if number > 0]
    assert set(range(20, 31)) <= set(still)
    assert max(still) < 45


def test_what_came_to_rest_belongs_to_the_background_in_the_end():
    pictures = [scene((100, 60, 40) if number >= 20 else None) for number in range(300)]
    found = passing(pictures)
    assert 20 in found
    assert max(found) < 200


def test_what_is_smaller_than_wanted_does_not_pass():
    pictures = [scene((100, 60, 8) if number == 20 else None) for number in range(30)]
    assert passing(pictures, contour_area=0.01) == [0]
    assert passing(pictures, contour_area=0.0005)[:2] == [0, 20]


def test_noise_below_the_threshold_does_not_pass():
    pictures = [scene(brightness=100 + 10 * (number % 2), noise=0) for number in range(30)]
    assert passing(pictures) == [0]
    assert len(passing(pictures, threshold=5)) > 10


@pytest.mark.parametrize(
    "mask", [((0, 0), (0.5, 0), (0.5, 1), (0, 1)), ((0, 0), (160, 0), (160, 180), (0, 180))], ids=["parts", "pixels"]
)
def test_motion_under_a_mask_does_not_count(mask):
    left = [scene((20 + number, 60, 40) if number > 5 else None) for number in range(60)]
    right = [scene((220 + number, 60, 40) if number > 5 else None) for number in range(60)]
    assert passing(left, mask=(mask,)) == [0]
    assert len(passing(right, mask=(mask,))) > 40


def test_a_picture_of_another_size_passes_and_begins_anew():
    pictures = [scene() for _ in range(10)] + [scene(size=(90, 160)) for _ in range(10)]
    assert passing(pictures) == [0, 10]


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3, 3)])
def test_any_size_will_do(size):
    assert passing([scene(size=size, noise=0) for _ in range(3)]) == [0]


def test_at_first_enough_pictures_pass_to_know_what_is_there():
    assert passing([scene() for _ in range(100)], hold=1) == list(range(11))


def test_whoever_does_not_know_the_scene_can_look_at_it():
    gate = MotionGate(MotionSettings(enabled=True, keep_alive=3600, hold=1))
    passing([scene() for _ in range(50)], gate=gate)
    assert passing([scene() for _ in range(50)], begin=5, gate=gate) == []
    gate.hold_open()
    assert passing([scene() for _ in range(50)], begin=10, gate=gate) == list(range(11))


WALL = RNG.integers(60, 200, (18, 32), np.uint8).repeat(10, 0).repeat(10, 1)
"""A scene with the contrast of daylight."""

LIGHTS = {"day": 1.0, "dusk": 0.45, "dark": 0.2, "darker": 0.12}


def lit(light, walker=None, noise=1.5):
    """The scene so light, with the noise of a sensor: the darker, the more of what there is."""
    level = WALL.astype(np.float32)
    if walker is not None:
        level[70:110, walker : walker + 15] = 225
    grey = level * light + 12 + RNG.normal(0, noise, level.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)[..., np.newaxis].repeat(3, 2)


def rainy(light, walker=None):
    """The same behind a hundred drops that are half transparent."""
    picture, bright = lit(light, walker), int(240 * light + 12)
    for _ in range(100):
        row, column = RNG.integers(0, 170), RNG.integers(0, 319)
        drop = picture[row : row + 8, column]
        picture[row : row + 8, column] = drop + (bright - np.minimum(drop, bright)) // 3
    return picture


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
def test_who_walks_passes_in_any_light_and_a_still_scene_in_none(light):
    still = [lit(light) for _ in range(150)]
    walking = [lit(light, walker=20 + 4 * number) for number in range(50)]
    assert passing(still + walking) == [0, *range(150, 200)]


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
def test_much_noise_is_no_motion(light):
    assert max(passing([lit(light, noise=12) for _ in range(200)])) < 10


@pytest.mark.parametrize("light", [1.0, 0.2], ids=["day", "dark"])
def test_rain_is_no_motion_and_who_walks_in_it_is(light):
    pictures = [rainy(light) for _ in range(200)] + [rainy(light, walker=20 + 4 * number) for number in range(50)]
    found = passing(pictures)
    assert not [number for number in found if 20 < number < 200]
    assert len([number for number in found if number >= 200]) >= 45


def test_a_light_that_is_switched_on_passes_until_it_belongs_to_the_scene():
    found = passing([lit(0.15 if number < 50 else 0.8) for number in range(300)])
    assert found[1] == 50
    assert max(found) < 200


def test_a_light_that_flickers_is_learnt():
    found = passing([lit(0.2 + 0.06 * (number % 2)) for number in range(500)])
    assert not [number for number in found if number > 300]


def test_a_busy_street_is_not_learnt_to_be_noise():
    walking = [lit(1.0, walker=20 + 4 * (number % 50)) for number in range(600)]
    assert len(passing(walking)) > 550


def test_motion_is_told_while_something_moves_and_for_a_while_after():
    gate = MotionGate(MotionSettings(enabled=True, hold=2.0))
    assert gate.motion(0.0) is None
    pictures = [scene((20 + 6 * (number - 30), 60, 40) if 30 <= number < 60 else None) for number in range(120)]
    told = []
    for number, picture in enumerate(pictures):
        gate.passes(picture, number / FPS)
        told.append(gate.motion(number / FPS))
    assert not any(told[:30]), "a gate that is open at first does not say that something moves"
    assert all(told[30:75])
    assert not any(told[100:])


def test_short_motion_is_told_for_a_second_also_where_nothing_is_held():
    gate = MotionGate(MotionSettings(enabled=True, hold=0))
    for number in range(30):
        gate.passes(scene((100, 60, 40) if number == 20 else None), number / FPS)
    assert gate.motion(2.9) is True
    assert gate.motion(5.0) is False


def test_where_no_gate_is_nothing_is_known_of_motion():
    gate = MotionGate(MotionSettings(enabled=False))
    gate.passes(scene(), 0.0)
    gate.passes(scene((100, 60, 40)), 0.1)
    assert gate.motion(0.1) is None
