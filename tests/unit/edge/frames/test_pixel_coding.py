from __future__ import annotations

import pytest

from edge.frames.pixel_coding import CODING_KEPT_S, MAX_CODED_THIEVES, PixelCoding

FAST, SLOW = 12.5e6, 1e6


def coding_with(bytes_per_s):
    coding = PixelCoding()
    coding.on_transfer("thief", bytes_per_s)
    return coding


@pytest.mark.parametrize(("bytes_per_s", "pays"), [(FAST, False), (SLOW, True)])
def test_pixels_are_coded_for_a_slow_link(bytes_per_s, pays):
    assert coding_with(bytes_per_s).pays("thief", 0.0) == pays


def test_the_first_pixels_for_a_thief_are_not_coded():
    assert not PixelCoding().pays("thief", 0.0)
    assert not coding_with(SLOW).pays("other", 0.0)
    assert not coding_with(0.0).pays("thief", 0.0)


def test_the_last_transfer_counts():
    coding = coding_with(SLOW)
    coding.on_transfer("thief", FAST)
    assert not coding.pays("thief", 0.0)


@pytest.mark.parametrize(("coded", "seconds"), [(990, 1e-5), (500, 1e-3)])
def test_coding_that_spares_little_or_takes_long_ends_and_is_tried_again_later(coded, seconds):
    coding = coding_with(SLOW)
    coding.on_coded(1000, coded, seconds, 5.0)
    assert not coding.pays("thief", 5.0)
    assert coding.pays("thief", 5.0 + CODING_KEPT_S)


def test_on_a_fast_computer_it_pays_on_faster_links():
    coding = coding_with(FAST)
    coding.on_coded(1000, 400, 1000 * 17e-9, 5.0)
    assert coding.pays("thief", 6.0)


def test_thieves_without_number_are_not_remembered():
    coding = PixelCoding()
    for number in range(MAX_CODED_THIEVES + 1):
        coding.on_transfer(f"thief{number}", SLOW)
    assert not coding.pays("thief0", 0.0)
    assert coding.pays("thief1", 0.0)
