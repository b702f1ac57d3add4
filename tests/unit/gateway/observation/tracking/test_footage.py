"""Tracking on the bundled clip, as the built-in model sees it."""

from __future__ import annotations

import random

import pytest

from gateway.observation.tracking.tracker import Tracker
from gateway.observation.tracking.tracks import TrackerSettings
from tests.unit.gateway.observation.tracking.footage import BEGIN, FPS, IMAGE, WALKERS, frames

MIN_SCORE = 0.5


def thirds_dropped(seed):
    chance = random.Random(seed)
    return [frame for frame in range(300) if chance.random() > 1 / 3]


KEPT = {
    "all frames": range(300),
    "even frames": range(0, 300, 2),
    "odd frames": range(1, 300, 2),
    **{f"two thirds of the frames, {seed}": thirds_dropped(seed) for seed in range(8)},
    **{f"two frames a second, {first}": range(first, 300, 5) for first in range(5)},
}


def followed(kept):
    """Tracks that are visible, by frame."""
    tracker, steps = Tracker(TrackerSettings()), {}
    for frame in kept:
        found = [one for one in frames()[frame] if one.score >= MIN_SCORE and one.label in {"person", "car"}]
        tracks = tracker.update(BEGIN + frame / FPS, found, IMAGE)
        steps[frame] = [track for track in tracks.live if track.visible]
    return steps


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_nobody_who_walks_freely_changes_his_id(kept):
    steps = followed(kept)
    ids = {name: walker.ids(steps) for name, walker in WALKERS.items()}
    changed = {name: found for name, found in ids.items() if len(set(found.values())) != 1}
    assert not changed


@pytest.mark.parametrize("walker", WALKERS.values(), ids=WALKERS)
def test_who_walks_freely_is_followed_most_of_the_time(walker):
    there = [frame for frame in range(300) if walker.place(frame)]
    assert len(walker.ids(followed(range(300)))) > len(there) / 2


def test_one_track_for_each_who_comes_and_few_more():
    """Eleven people and a car are to be seen; behind the sign in the middle, people are mistaken for each other."""
    hits = {}
    for tracks in followed(range(300)).values():
        hits |= {track.id: track.hits for track in tracks}
    assert 12 <= sum(count >= 3 for count in hits.values()) <= 15


def test_the_parked_car_is_stationary_and_no_walker_is():
    last = {}
    for frame, tracks in followed(range(300)).items():
        last |= {track.id: (frame, track) for track in tracks}
        for track in tracks:
            if track.label == "person":
                assert not track.stationary
    (car,) = [track for _, track in last.values() if track.label == "car" and track.hits > 100]
    assert car.stationary
