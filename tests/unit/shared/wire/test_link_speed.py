from __future__ import annotations

import pytest

from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S, predict_transfer_s

FRAME = 1_000_000


@pytest.mark.parametrize("bytes_per_s", [USUAL_LINK_BYTES_PER_S, 10 * USUAL_LINK_BYTES_PER_S])
def test_pixels_are_sent_as_they_are_over_a_usual_link(bytes_per_s):
    assert predict_transfer_s(FRAME, bytes_per_s) == FRAME / bytes_per_s


def test_over_a_slow_one_they_are_coded_and_take_little_more_than_half_the_time():
    assert 0.5 * 4 < predict_transfer_s(FRAME, FRAME / 4) < 0.6 * 4
