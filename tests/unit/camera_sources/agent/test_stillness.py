from __future__ import annotations

import numpy as np

from camera_sources.agent.stillness import Stillness

SCENE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


def longest(pictures):
    stillness = Stillness()
    return max(stillness.equal_for_s(picture, float(now)) for now, picture in enumerate(pictures))


def test_the_same_picture_again_and_again_is_noticed():
    assert longest([SCENE] * 20) == 19


def test_a_still_scene_with_the_noise_of_a_sensor_is_none():
    noise = np.random.default_rng(1)
    pictures = [np.clip(SCENE + noise.normal(0, 0.7, SCENE.shape), 0, 255).astype(np.uint8) for _ in range(20)]
    assert longest(pictures) == 0


def test_the_dark_is_none():
    assert longest([np.full((120, 160, 3), 16, np.uint8)] * 20) == 0


def test_a_few_pictures_of_a_camera_that_is_asked_seldom_are_none():
    assert longest([SCENE] * 4) == 0


def test_it_is_over_with_the_first_other_picture():
    stillness = Stillness()
    for now in range(20):
        stillness.equal_for_s(SCENE, float(now))
    assert stillness.equal_for_s(SCENE + 1, 20.0) == 0
