from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from camera_sources.kinds.pattern import ROUND_FRAMES
from camera_sources.open_source import open_source
from shared.errors import ConfigurationError


def pictures(count, url="test://96x64"):
    return list(islice(open_source(url).pictures(), count))


def test_a_pattern_has_its_size():
    (picture,) = pictures(1)
    assert (picture.dtype, picture.shape) == (np.uint8, (64, 96, 3))


def test_every_run_is_the_same():
    np.testing.assert_array_equal(pictures(5), pictures(5))


def test_something_moves_and_comes_back():
    shown = pictures(ROUND_FRAMES + 1)
    assert (shown[0] != shown[1]).any()
    np.testing.assert_array_equal(shown[0], shown[-1])


def test_what_moves_stays_within_the_picture():
    areas = [int((picture == 255).all(axis=2).sum()) for picture in pictures(ROUND_FRAMES)]
    assert min(areas) == max(areas) > 0


@pytest.mark.parametrize(
    ("url", "fps"), [("test://96x64", 10), ("test://96x64?fps=2.5", 2.5), ("test://96x64/?fps=3", 3)]
)
def test_a_pattern_has_a_rate(url, fps):
    assert open_source(url).fps == fps


@pytest.mark.parametrize(
    "url",
    ["test://", "test://96", "test://96x", "test://0x0", "test://8x8", "test://99999x64", "test://96x64?fps=0",
     "test://96x64?fps=fast", "test://96x64?fps=nan", "test://96x64/deep"],
)  # fmt: skip
def test_a_pattern_that_cannot_be_is_refused_with_one_that_can(url):
    with pytest.raises(ConfigurationError, match=r"write for example test://640x360\?fps=10"):
        open_source(url)
