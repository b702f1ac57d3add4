from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observation.snapshot_policy import (
    BETTER_SCORE,
    LARGER_AREA,
    MIN_PERIOD_S,
    VIEW_LIFETIME_S,
    WHOLE_PICTURE_PERIOD_S,
    SnapshotChoice,
    SnapshotPolicy,
)
from shared.payloads.observations import FollowedObject, LabelState


@dataclass
class Scene:
    labels: dict[str, LabelState] = field(default_factory=dict)
    all: LabelState = field(default_factory=lambda: LabelState(count=0, active=0))


def found(name, label="person", *, score=0.8, area=1000.0, stationary=False):
    box = (10.0, 20.0, 10.0 + area / 10, 30.0)
    return FollowedObject(id=name, label=label, score=score, box=box, box_rel=(0, 0, 1, 1), stationary=stationary)


def scene(*objects):
    def state(those):
        return LabelState(count=len(those), active=sum(not each.stationary for each in those), objects=those)

    labels = {each.label: state([other for other in objects if other.label == each.label]) for each in objects}
    return Scene({"person": state([]), **labels}, state(list(objects)))


@pytest.fixture
def policy():
    return SnapshotPolicy()


def shown(policy, *objects, at, camera="front"):
    """What is wished for of a frame with these objects: whether the whole, and the names of close-ups."""
    wishes = policy.choose(camera, scene(*objects), at)
    return wishes.whole, {label: each.id for label, each in wishes.labels.items()}


NOTHING: tuple[bool, dict[str, str]] = (False, {})


def test_an_empty_scene_is_not_worth_a_picture(policy):
    assert [shown(policy, at=now) for now in (0.0, 100.0, 1000.0)] == [NOTHING] * 3


def test_a_new_object_is_worth_the_whole_picture_and_a_close_up(policy):
    assert shown(policy, found("a"), at=0.0) == (True, {"person": "a"})
    assert shown(policy, found("a"), at=0.1) == NOTHING


def test_labels_do_not_wait_for_one_another(policy):
    assert shown(policy, found("a"), found("b", "cat"), at=0.0) == (True, {"person": "a", "cat": "b"})


def test_of_several_new_ones_the_best_comes_first_and_the_others_follow(policy):
    three = found("a", score=0.7), found("b", score=0.9), found("c", score=0.9, area=2000.0)
    assert [shown(policy, *three, at=now)[1] for now in (0.0, 0.9, 1.0, 2.0, 3.0)] == [
        {"person": "c"}, {}, {"person": "b"}, {"person": "a"}, {},
    ]  # fmt: skip


def test_a_crowd_that_comes_and_goes_is_shown_once_a_second(policy):
    wishes = [shown(policy, found(f"a{step // 3}"), found(f"b{step // 2}", "cat"), at=step / 10) for step in range(50)]
    assert sum(whole for whole, _ in wishes) == 5
    assert [sum(label in close_ups for _, close_ups in wishes) for label in ("person", "cat")] == [5, 5]
    assert shown(policy, at=5.0) == (True, {})


def test_who_leaves_is_worth_the_whole_picture_only(policy):
    shown(policy, found("a"), found("b"), at=0.0)
    shown(policy, found("a"), found("b"), at=0.1)
    assert shown(policy, found("a"), at=1.0) == (True, {})
    assert shown(policy, at=2.0) == (True, {})
    assert shown(policy, at=100.0) == NOTHING


def test_who_moves_is_shown_again_now_and_then(policy):
    shown(policy, found("a"), at=0.0)
    assert shown(policy, found("a"), at=WHOLE_PICTURE_PERIOD_S - 0.1) == NOTHING
    assert shown(policy, found("a"), at=WHOLE_PICTURE_PERIOD_S) == (True, {})
    assert shown(policy, found("a"), at=WHOLE_PICTURE_PERIOD_S + 1) == NOTHING


@pytest.mark.parametrize(
    ("view", "better"),
    [
        ({"score": 0.8 + BETTER_SCORE + 0.001}, True),
        ({"score": 0.8 + BETTER_SCORE - 0.001}, False),
        ({"area": 1000 * LARGER_AREA + 1}, True),
        ({"area": 1000 * LARGER_AREA - 1}, False),
        ({"score": 0.5, "area": 100.0}, False),
    ],
)
def test_a_clearly_better_view_is_shown(policy, view, better):
    shown(policy, found("a"), at=0.0)
    assert shown(policy, found("a", **view), at=1.0) == (False, {"person": "a"} if better else {})


@pytest.mark.parametrize("first", [0, 1])
def test_two_views_do_not_take_turns(policy, first):
    near_and_sure = found("a", score=0.7, area=9000.0), found("a", score=0.9, area=1000.0)
    views = [shown(policy, near_and_sure[(first + step) % 2], at=step / 10)[1] for step in range(50)]
    assert sum(bool(each) for each in views) == 2


def test_an_old_view_of_one_who_moves_is_replaced_and_measured_by_the_new_one(policy):
    shown(policy, found("a", score=0.9), at=0.0)
    assert shown(policy, found("a", score=0.5), at=VIEW_LIFETIME_S)[1] == {"person": "a"}
    assert shown(policy, found("a", score=0.6), at=VIEW_LIFETIME_S + 1)[1] == {"person": "a"}


def test_who_comes_back_under_the_same_id_is_new_again(policy):
    shown(policy, found("a"), at=0.0)
    shown(policy, at=1.0)
    assert shown(policy, found("a"), at=2.0) == (True, {"person": "a"})


def test_cameras_know_nothing_of_each_other(policy):
    assert shown(policy, found("a"), at=0.0) == shown(policy, found("a"), at=0.0, camera="back")


def test_what_was_missed_is_wished_for_again(policy):
    for objects, at in (((found("a"),), 1.0), ((), 3.0)):
        first = policy.choose("front", scene(*objects), at)
        assert first != SnapshotChoice()
        policy.retry_later("front", first)
        assert policy.choose("front", scene(*objects), at + 0.1) == first
        assert policy.choose("front", scene(*objects), at + 1.2) == SnapshotChoice()


def test_a_camera_that_is_forgotten_begins_anew(policy):
    first = shown(policy, found("a"), at=0.0)
    policy.forget_camera("front")
    policy.forget_camera("never seen")
    assert shown(policy, found("a"), at=0.1) == first


NAMES = st.sampled_from("abcdef")
VIEWS = st.builds(
    found,
    NAMES,
    st.sampled_from(["person", "cat"]),
    score=st.floats(0.3, 1.0),
    area=st.floats(0.0, 1e6),
    stationary=st.booleans(),
)
OBJECTS = st.lists(VIEWS, max_size=5, unique_by=lambda each: each.id)


@given(OBJECTS, st.lists(st.floats(MIN_PERIOD_S, 500), min_size=10, max_size=30))
def test_a_still_scene_is_shown_once(objects, gaps):
    policy = SnapshotPolicy()
    still = scene(*(each.model_copy(update={"stationary": True}) for each in objects))
    wishes, now = [], 0.0
    for gap in gaps:
        wishes.append(policy.choose("front", still, now))
        now += gap
    assert [each.whole for each in wishes] == [bool(objects)] + [False] * (len(gaps) - 1)
    close_ups = [each.id for wish in wishes for each in wish.labels.values()]
    assert sorted(close_ups) == sorted(each.id for each in objects)


@given(st.lists(st.tuples(st.floats(0.5, 0.9), st.floats(900, 1100)), min_size=1, max_size=200))
def test_the_noise_of_a_detector_is_soon_over(views):
    policy = SnapshotPolicy()
    times = 0
    for number, (score, area) in enumerate(views):
        still = scene(found("a", score=score, area=area, stationary=True))
        times += len(policy.choose("front", still, number * 7.0).labels)
    assert times <= 1 + 0.4 / BETTER_SCORE


@given(st.lists(OBJECTS, max_size=12))
def test_close_ups_are_of_objects_that_are_there_and_each_gets_one_in_time(frames):
    policy = SnapshotPolicy()
    for number, objects in enumerate(frames):
        got = set()
        for step in range(len(objects) + 1):
            wishes = policy.choose("front", scene(*objects), 10 * number + step * MIN_PERIOD_S)
            for label, each in wishes.labels.items():
                assert each in objects
                assert each.label == label
                assert each.id not in got
                got.add(each.id)
        assert not policy.choose("front", scene(*objects), 10 * number + 9).labels
        new = {each.id for each in objects} - {each.id for each in (frames[number - 1] if number else ())}
        assert new <= got
