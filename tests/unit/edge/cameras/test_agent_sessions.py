from __future__ import annotations

import pytest

from edge.cameras.agent_sessions import stats_differ
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameCounts


def stats(**changes):
    plain = {"camera": "front", "node": "edge-1", "counts": FrameCounts(captured=3), "state": State.ONLINE, "fps": 10.0,
             "width": 64, "height": 48}  # fmt: skip
    return CameraStats(**{**plain, **changes})


def test_the_first_stats_are_new():
    assert stats_differ(None, stats())


@pytest.mark.parametrize("fps", [10.0, 9.0, 11.5])
def test_a_rate_that_is_not_quite_steady_is_nothing_new(fps):
    assert not stats_differ(stats(), stats(fps=fps))


@pytest.mark.parametrize(
    "change",
    [
        {"fps": 5.0},
        {"fps": 15.0},
        {"fps": 0.0},
        {"counts": FrameCounts(captured=4)},
        {"ended": True},
        {"state": State.OFFLINE, "reason": "not reachable"},
        {"width": 128},
        {"published_per_s": 4.9},
    ],
)
def test_every_other_change_is(change):
    assert stats_differ(stats(), stats(**change))
    assert stats_differ(stats(**change), stats())
