from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observation.tracking.tracker import MAX_TRACKS, Tracker
from gateway.observation.tracking.tracks import TrackerSettings
from tests.unit.gateway.observation.tracking.moving import IMAGE, detected, person, standing, visible

BEGIN = 1_700_000_000.0


def tracker(**settings):
    return Tracker(TrackerSettings(**settings))


def follow(tracker, frames, *, fps=10.0, at=BEGIN):
    """What the tracker tells of each frame, a list of detections each."""
    return [tracker.update(at + number / fps, objects, IMAGE) for number, objects in enumerate(frames)]


def ids(steps):
    return [[track.id for track in visible(step)] for step in steps]


def test_an_id_is_made_of_the_time_and_six_characters():
    (track,) = tracker().update(1700000000.1234, [person(100)], IMAGE).live
    assert re.fullmatch(r"1700000000\.123-[a-z0-9]{6}", track.id)


def test_a_track_tells_what_was_seen():
    followed = tracker()
    follow(followed, [[person(100, score=score)] for score in (0.7, 0.9, 0.8)], fps=10)
    (track,) = followed.update(BEGIN + 0.3, [], IMAGE).live
    assert (track.label, track.score, track.hits, track.box) == ("person", 0.8, 3, standing(100))
    assert (track.first_seen, track.last_seen) == (BEGIN, BEGIN + 0.2)
    assert not track.visible
    assert not track.stationary


def test_scores_are_weighed_as_in_frigate():
    followed = tracker()
    scores = [0.7, 0.9, 0.8, 0.6, 0.6, 0.6, 0.6]
    steps = follow(followed, [[person(100, score=score)] for score in scores])
    assert [step.live[0].median_score for step in steps[:3]] == [0.0, 0.7, 0.8], "filled up with 0 to three"
    assert steps[-1].live[0].median_score == 0.6
    assert steps[-1].live[0].top_score == 0.8, "the highest median there was"


def test_the_median_is_of_the_last_ten_scores():
    steps = follow(tracker(), [[person(100, score=score)] for score in [0.9] * 10 + [0.7] * 10])
    assert [step.live[0].median_score for step in (steps[9], steps[-1])] == [0.9, 0.7]


@pytest.mark.parametrize("fps", [0.5, 1, 2, 5, 10, 30])
def test_a_walker_keeps_his_id_at_any_frame_rate(fps):
    """150 px/s at a height of 200 px is a brisk walk."""
    steps = follow(tracker(), [[person(100 + 150 * n / fps)] for n in range(int(11 * fps))], fps=fps)
    assert len({name for step in ids(steps) for name in step}) == 1


def test_a_parked_car_keeps_its_id_at_a_frame_in_five_seconds():
    steps = follow(tracker(), [[person(100, label="car")]] * 20, fps=0.2)
    assert len({name for step in ids(steps) for name in step}) == 1


@given(st.lists(st.floats(0.04, 0.7), min_size=5, max_size=40))
def test_a_walker_keeps_his_id_though_frames_come_irregularly(intervals):
    followed, at, seen = tracker(), BEGIN, set()
    for interval in intervals:
        at += interval
        seen |= {track.id for track in followed.update(at, [person(100 + 100 * (at - BEGIN))], IMAGE).live}
    assert len(seen) == 1


def test_two_who_pass_each_other_keep_their_ids():
    """In the middle one hides the other."""
    frames = []
    for n in range(41):
        left, right = person(400 + 20 * n), person(1200 - 20 * n, y=620.0)
        frames.append([right] if abs(n - 20) <= 2 else [left, right])
    steps = ids(follow(tracker(), frames))
    assert steps[0] == steps[-1][::-1]
    assert len({name for step in steps for name in step}) == 2


def test_an_id_outlives_a_short_occlusion():
    frames = [[] if 20 <= n < 30 else [person(100 + 15 * n)] for n in range(50)]
    assert len({name for step in ids(follow(tracker(), frames)) for name in step}) == 1


def test_who_comes_back_after_he_was_given_up_is_another():
    frames = [[person(300)]] * 5 + [[]] * 25 + [[person(300)]] * 5
    steps = follow(tracker(max_disappeared_s=2.0), frames)
    assert len({name for step in ids(steps) for name in step}) == 2
    assert [(n, len(step.ended)) for n, step in enumerate(steps) if step.ended] == [(25, 1)], "2 s after frame 4"


def test_labels_are_followed_apart():
    frames = [[person(300), person(310, label="dog")]] * 4
    steps = follow(tracker(), frames)
    assert {track.label for track in steps[-1].live} == {"person", "dog"}
    assert all(track.hits == 4 for track in steps[-1].live)


def test_a_low_score_begins_nothing_and_goes_on_with_what_there_is():
    steps = follow(tracker(), [[person(300, score=score)] for score in (0.55, 0.65, 0.55)])
    assert [len(step.live) for step in steps] == [0, 1, 1]
    assert steps[-1].live[0].score == 0.55


def test_what_is_a_high_score_may_differ_by_label():
    followed = tracker(high_scores={"cat": 0.3})
    found = [person(300, score=0.35), person(600, score=0.35, label="cat")]
    assert [track.label for track in followed.update(BEGIN, found, IMAGE).live] == ["cat"]


def test_a_frame_out_of_order_is_ignored():
    followed = tracker()
    before = follow(followed, [[person(300)]] * 3)[-1]
    for late in (BEGIN + 0.2, BEGIN + 0.1, BEGIN - 10):
        assert followed.is_late(late)
        assert followed.update(late, [person(900)], IMAGE) == before
    assert followed.update(BEGIN + 0.3, [person(300)], IMAGE).live[0].id == before.live[0].id


def test_one_frame_is_no_proof_that_something_is_gone_however_slowly_they_come():
    frames = [[person(300)]] * 4 + [[]] + [[person(300)]] + [[]] * 3
    steps = follow(tracker(max_disappeared_s=5.0, stationary_after_s=60.0), frames, fps=0.2)
    assert [len(step.ended) for step in steps] == [0, 0, 0, 0, 0, 0, 0, 1, 0], "two frames are"


def test_what_was_seen_once_is_soon_forgotten():
    steps = follow(tracker(max_disappeared_s=5.0), [[person(300)]] + [[]] * 12)
    assert [len(step.live) for step in steps] == [1] * 11 + [0, 0]


def test_without_frames_only_those_end_that_enough_frames_have_missed():
    followed = tracker(max_disappeared_s=5.0)
    follow(followed, [[person(300), person(900)]] * 5 + [[person(300)]] * 2)
    assert not followed.expire(BEGIN + 5.4).ended
    step = followed.expire(BEGIN + 5.5)
    assert [track.box for track in step.ended] == [standing(900)]
    assert [track.box for track in followed.expire(BEGIN + 3600).live] == [standing(300)]


@pytest.mark.parametrize("pause_s", [4.0, 6.0, 30.0, 3600.0])
def test_a_pause_in_frames_and_one_that_misses_it_are_no_proof_that_something_is_gone(pause_s):
    followed = tracker(max_disappeared_s=5.0)
    follow(followed, [[person(300)]] * 5)
    after = BEGIN + 0.4 + pause_s
    assert not followed.update(after, [], IMAGE).ended
    assert not followed.expire(after + 3600).ended
    assert len(followed.update(after + 3601, [], IMAGE).ended) == 1


def test_of_what_was_at_rest_more_frames_must_miss_it():
    followed = tracker(max_disappeared_s=5.0, stationary_after_s=2.0)
    follow(followed, [[person(300)]] * 30)
    ended = [len(followed.update(BEGIN + 10 * n, [], IMAGE).ended) for n in range(1, 6)]
    assert ended == [0, 0, 0, 0, 1]


def test_patience_begins_anew_whenever_it_is_seen():
    followed = tracker(max_disappeared_s=1.0)
    frames = [[person(300)]] * 5 + [[], [], [person(300)]] * 20
    assert not any(step.ended for step in follow(followed, frames, fps=2))


def test_what_was_followed_before_goes_on_where_it_was_and_ends_when_frames_miss_it():
    (before,) = follow(tracker(), [[person(300)]] * 30)[-1].live
    followed = tracker(max_disappeared_s=5.0)
    followed.resume([before], BEGIN + 100, 30.0)
    (after,) = followed.update(BEGIN + 100, [person(310)], IMAGE).live
    assert (after.id, after.visible, after.first_seen) == (before.id, True, before.first_seen)
    assert after.rested_s == pytest.approx(before.rested_s + 30)
    followed = tracker(max_disappeared_s=5.0)
    followed.resume([before], BEGIN + 100, 30.0)
    steps = follow(followed, [[person(1500)]] * 60, at=BEGIN + 100)
    assert [n for n, step in enumerate(steps) if step.ended] == [50]
    assert before.id not in {track.id for track in steps[-1].live}


def test_stationary_is_who_has_not_moved_for_a_while_and_not_a_moment_longer():
    followed = tracker(stationary_after_s=10.0)
    steps = follow(followed, [[person(300)]] * 21 + [[person(300 + 60 * n)] for n in range(1, 4)], fps=2)
    assert [step.live[0].stationary for step in steps] == [False] * 20 + [True] + [False] * 3


def test_boxes_go_with_the_size_of_the_picture():
    followed = tracker()
    (before,) = follow(followed, [[person(300)]] * 5)[-1].live
    smaller = detected([side / 2 for side in standing(300)])
    (after,) = followed.update(BEGIN + 0.5, [smaller], (960, 540)).live
    assert after.id == before.id


def test_what_is_stationary_stays_so_in_another_size_of_the_picture():
    followed = tracker(stationary_after_s=1.0)
    follow(followed, [[person(300)]] * 15)
    smaller = detected([side / 2 for side in standing(300)])
    steps = [followed.update(BEGIN + at, [smaller], (960, 540)) for at in (1.5, 1.6, 1.7)]
    assert [step.live[0].stationary for step in steps] == [True] * 3


def test_no_more_are_followed_than_the_cap_and_the_best_begin():
    crowd = [person(10 + 15 * n, height=20.0, score=0.6 + n / 1000) for n in range(MAX_TRACKS + 20)]
    followed = tracker()
    live = followed.update(BEGIN, crowd, IMAGE).live
    assert len(live) == MAX_TRACKS
    assert min(track.score for track in live) == pytest.approx(0.62)
    assert len(followed.update(BEGIN + 0.1, crowd, IMAGE).live) == MAX_TRACKS


def test_what_was_dropped_is_something_new_when_it_is_seen_again():
    followed = tracker()
    (before,) = follow(followed, [[person(300)]] * 5)[-1].live
    step = followed.end_tracks(frozenset({before.id}))
    assert ([track.id for track in step.ended], step.live) == ([before.id], ())
    assert followed.update(BEGIN + 1, [person(300)], IMAGE).live[0].id != before.id


def test_clear_ends_all():
    followed = tracker()
    follow(followed, [[person(300), person(900)]] * 5)
    assert len(followed.end_all().ended) == 2
    assert followed.end_all().live == ()


@given(st.integers(0, 10_000))
def test_every_track_ends_once_and_is_never_seen_again(seed):
    """People appear, walk, tremble, hide and vanish; frames are dropped, late, or missing for long."""
    chance, followed, at = random.Random(seed), tracker(max_disappeared_s=1.0), BEGIN
    people, live, ended = {}, set(), set()
    for _ in range(60):
        at += chance.choice([-0.3, 0.03, 0.2, 0.2, 0.5, 3.0])
        if chance.random() < 0.3:
            people[chance.random()] = chance.uniform(0, 1900)
        people = {key: x + chance.uniform(-60, 60) for key, x in people.items() if chance.random() > 0.05}
        shown = [person(x, score=chance.uniform(0.4, 1)) for x in people.values() if chance.random() > 0.2]
        step = chance.choice([
            lambda at=at, shown=shown: followed.update(at, shown, IMAGE),
            lambda at=at, shown=shown: followed.update(at, shown, IMAGE),
            lambda at=at: followed.expire(at),
            lambda live=live: followed.end_tracks(frozenset(list(live)[:1])),
        ])()  # fmt: skip
        now, over = {track.id for track in step.live}, [track.id for track in step.ended]
        assert not now & ended
        assert len(set(over)) == len(over)
        assert not set(over) & ended
        assert live - now == set(over) & live, "what is not there any more has ended, and nothing else"
        live, ended = now, ended | set(over)


@given(st.permutations(range(6)))
def test_the_order_of_detections_does_not_matter(order):
    frames = [[person(200 + 250 * k + 10 * n, score=0.7 + k / 100) for k in range(6)] for n in range(5)]
    steps = follow(tracker(), [[frame[k] for k in order] for frame in frames])
    assert all(before == after for before, after in pairwise(ids(steps)))
    assert len(ids(steps)[0]) == 6
