from __future__ import annotations

import numpy as np

from camera_sources.agent.selection import MIN_DECODED_FPS, PictureSelection
from camera_sources.camera_settings import CameraSettings

PICTURE = np.zeros((40, 60, 3), np.uint8)


def selection(*, detect=True, **settings):
    return PictureSelection(CameraSettings(source="test://64x64", **settings), detect=detect)


def wanted(chosen, seconds=10.0):
    """Count the wanted ones of a hundred pictures a second."""
    return sum(chosen.wants(number / 100) for number in range(round(seconds * 100)))


def test_without_settings_every_picture_is_sent_as_it_is():
    chosen = selection()
    assert wanted(chosen) == 1000
    np.testing.assert_array_equal(chosen.choose(PICTURE, 0.0), PICTURE)


def test_pictures_are_turned_and_cut():
    assert selection(rotate=90, crop=(0, 0, 0.5, 1)).choose(PICTURE, 0.0).shape == (60, 20, 3)


def test_the_rate_of_the_settings_holds_until_another_is_told():
    assert abs(wanted(selection(fps=5)) - 50) <= 2
    chosen = selection(fps=5)
    chosen.set_rate(detect=True, fps=20)
    assert abs(wanted(chosen) - 200) <= 2
    chosen.set_rate(detect=True, fps=None)
    assert abs(wanted(chosen) - 50) <= 2


def test_without_detection_a_picture_now_and_then_is_decoded_and_none_is_sent():
    chosen = selection(detect=False, fps=25)
    assert abs(wanted(chosen) - 10 * MIN_DECODED_FPS) <= 1
    assert chosen.choose(PICTURE, 0.0) is None
    chosen.set_rate(detect=True, fps=None)
    assert chosen.choose(PICTURE, 1.0) is not None


def test_the_first_picture_after_opening_is_wanted():
    chosen = selection(fps=1)
    assert chosen.wants(0.0)
    assert not chosen.wants(0.1)
    chosen.on_opened()
    assert chosen.wants(0.2)


def test_a_still_scene_is_passed_over():
    chosen = selection(motion={"enabled": True, "hold": 0})
    assert chosen.choose(PICTURE, 0.0) is not None
    assert chosen.choose(PICTURE, 0.1) is None
