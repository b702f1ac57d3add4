from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.health import DEGRADED_S, FRAME_RATE_WINDOW_S, HARMLESS_OUTCOMES, MAX_RATED_FRAMES, GatewayHealth
from shared.payloads.frames import Outcome

HARMFUL = sorted(set(Outcome) - HARMLESS_OUTCOMES)


@pytest.fixture
def health():
    return GatewayHealth(100.0)


def report(health, now=200.0, *, nodes=1, cameras=(1, 1), lost=()):
    return health.report(now, 1.7e9, nodes, cameras, dict(lost))


def test_a_gateway_that_has_just_started_has_done_nothing(health):
    said = report(health, 100.0)
    assert (said.up_s, said.frames_per_s, said.published, said.dropped, said.problems) == (0, 0, 0, 0, ())
    assert said.at == 1.7e9


def test_published_and_dropped_frames_are_counted_apart(health):
    for outcome in Outcome:
        health.on_frame_ended("door", outcome, 150)
    said = report(health)
    assert said.published == 1
    assert said.dropped == len(Outcome) - 1


def test_the_rate_is_of_the_last_minute(health):
    for second in range(100, 300):
        health.on_frame_ended("door", Outcome.PUBLISHED, second)
        health.on_frame_ended("yard", Outcome.PUBLISHED, second)
    assert report(health, 300).frames_per_s == pytest.approx(2, rel=0.02)
    assert report(health, 299 + FRAME_RATE_WINDOW_S / 2).frames_per_s == pytest.approx(1, rel=0.05)
    assert report(health, 300 + FRAME_RATE_WINDOW_S).frames_per_s == 0
    assert report(health, 300 + FRAME_RATE_WINDOW_S).published == 400


def test_the_rate_of_a_young_gateway_is_of_its_life(health):
    for number in range(10):
        health.on_frame_ended("door", Outcome.PUBLISHED, 100 + number)
    assert report(health, 110).frames_per_s == 1


def test_the_first_frame_of_all_is_no_rush(health):
    health.on_frame_ended("door", Outcome.PUBLISHED, 100.001)
    assert report(health, 100.002).frames_per_s == 1


def test_frames_without_end_are_not_remembered(health):
    for _ in range(MAX_RATED_FRAMES + 5):
        health.on_frame_ended("door", Outcome.PUBLISHED, 150)
    assert report(health, 160).published == MAX_RATED_FRAMES + 5
    assert report(health, 160).frames_per_s == pytest.approx(MAX_RATED_FRAMES / FRAME_RATE_WINDOW_S, rel=0.01)


@pytest.mark.parametrize("outcome", HARMFUL)
def test_a_camera_is_degraded_for_a_while_after_the_cluster_lost_a_frame_of_it(health, outcome):
    health.on_frame_ended("door", outcome, 150)
    assert health.is_degraded("door", 150)
    assert health.is_degraded("door", 150 + DEGRADED_S - 0.1)
    assert not health.is_degraded("door", 150 + DEGRADED_S)
    assert not health.is_degraded("yard", 150)


@pytest.mark.parametrize("outcome", sorted(HARMLESS_OUTCOMES))
def test_a_frame_that_nobody_failed_degrades_no_camera(health, outcome):
    health.on_frame_ended("door", outcome, 150)
    assert not health.is_degraded("door", 150)


def test_one_good_frame_does_not_end_it(health):
    health.on_frame_ended("door", Outcome.DEADLINE, 150)
    health.on_frame_ended("door", Outcome.PUBLISHED, 151)
    assert health.is_degraded("door", 152)


def test_there_is_a_problem_for_each_camera_that_is_lost_or_degraded_and_for_want_of_edges(health):
    health.on_frame_ended("yard", Outcome.DEADLINE, 195)
    health.on_frame_ended("attic", Outcome.DEADLINE, 195)
    health.on_frame_ended("shed", Outcome.DEADLINE, 150)
    said = report(health, nodes=0, cameras=(1, 3), lost={"door": "wrong password", "cellar": "no route"})
    assert said.problems == (
        "camera cellar: no route",
        "camera door: wrong password",
        "no edge is connected",
        "frames of camera attic were lost recently",
        "frames of camera yard were lost recently",
    )
    assert (said.nodes_online, said.cameras_online, said.cameras) == (0, 1, 3)


def test_what_other_parts_know_to_be_wrong_comes_behind(health):
    said = health.report(200.0, 1.7e9, 1, (0, 1), {"door": "no route"}, ["two edges are called shed"])
    assert said.problems == ("camera door: no route", "two edges are called shed")


@given(st.lists(st.tuples(st.sampled_from(["door", "yard"]), st.sampled_from(Outcome), st.floats(0, 300))))
def test_every_frame_is_counted_once(frames):
    health = GatewayHealth(0.0)
    for camera, outcome, at in sorted(frames, key=lambda frame: frame[2]):
        health.on_frame_ended(camera, outcome, at)
    said = report(health, 300)
    assert said.published + said.dropped == len(frames)
    assert said.frames_per_s * FRAME_RATE_WINDOW_S <= said.published + 0.5
