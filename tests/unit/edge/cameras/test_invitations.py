from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.invitations import EXCESS_FRAMES, MAX_INVITATION_S, Invitations


def connected(*cameras, max_frames=2, offers=True):
    """Cameras that are connected and have a picture."""
    invitations = Invitations(lambda: max_frames)
    for camera in cameras:
        invitations.on_connected(camera, 0, offers=offers)
        invitations.on_offer(camera)
    return invitations


def come(invitations, camera, now=0.0, *, number=0, waited=False):
    """A camera's frame has come and is queued."""
    invitations.on_frame(camera, number, waited=waited)
    return invitations.on_frame_accepted(camera, now)


def test_a_camera_is_invited_once_for_a_picture_that_it_offers():
    invitations = connected("door", "yard")
    assert invitations.may_invite
    assert invitations.choose(3, 1.0) == ["door", "yard"]
    assert not invitations.may_invite
    assert come(invitations, "door", 1.25) == 0.25
    assert invitations.choose(3, 2.0) == []
    invitations.on_offer("door")
    assert invitations.choose(3, 2.0) == ["door"]


def test_the_only_camera_is_invited_without_an_offer():
    invitations = Invitations(lambda: 2)
    invitations.on_connected("door", 0)
    assert not invitations.needs_offers
    for now in (1.0, 2.0):
        assert invitations.choose(1, now) == ["door"]
        assert not invitations.may_invite
        come(invitations, "door")
    assert not invitations.may_invite  # two frames are under way
    invitations.on_frame_end("door", 0.0)
    invitations.on_connected("yard", 0)
    assert invitations.needs_offers
    assert not invitations.may_invite


def test_a_camera_is_not_invited_again_before_its_frame_has_come():
    invitations = connected("door")
    invitations.choose(1, 1.0)
    invitations.on_offer("door")
    assert invitations.choose(1, 1.1) == []
    come(invitations, "door")
    assert invitations.choose(1, 1.2) == ["door"]


def test_the_camera_that_has_waited_longest_comes_first():
    invitations = connected("a", "b", "c")
    assert invitations.choose(1, 1.0) == ["a"]
    come(invitations, "a")
    invitations.on_offer("a")
    assert invitations.choose(2, 2.0) == ["b", "c"]
    assert invitations.choose(2, 3.0) == ["a"]


def test_a_camera_that_connects_again_keeps_its_turn():
    invitations = connected("a", "b")
    assert invitations.choose(1, 1.0) == ["a"]
    for camera in "ba":
        invitations.on_connected(camera, 0)
        invitations.on_offer(camera)
    assert invitations.choose(1, 2.0) == ["b"]


def test_no_camera_has_more_frames_under_way_than_allowed():
    invitations = connected("door", max_frames=2)
    for _ in range(2):
        assert invitations.choose(1, 1.0) == ["door"]
        come(invitations, "door")
        invitations.on_offer("door")
    assert invitations.choose(1, 1.0) == []
    invitations.on_frame_end("door", 0.0)
    assert invitations.choose(1, 1.0) == ["door"]


def test_frames_of_an_earlier_connection_count():
    invitations = connected(max_frames=2)
    invitations.on_connected("door", 2)
    invitations.on_offer("door")
    assert invitations.choose(1, 1.0) == []
    invitations.on_frame_end("door", 0.0)
    assert invitations.choose(1, 1.0) == ["door"]


def test_a_frame_that_ends_while_it_is_prepared_is_not_under_way_for_ever():
    invitations = connected("door", max_frames=1)
    for number in range(3):
        assert invitations.choose(1, number) == ["door"]
        invitations.on_frame("door", number, waited=False)
        invitations.on_frame_end("door", 0.0)
        invitations.on_frame_accepted("door", number)
        invitations.on_offer("door")


def test_an_agent_of_the_release_before_is_invited_unasked():
    invitations = Invitations(lambda: 1)
    invitations.on_connected("old", 0, offers=False)
    for now in (1.0, 2.0):
        assert invitations.choose(1, now) == ["old"]
        assert invitations.choose(1, now) == []
        come(invitations, "old")
        invitations.on_frame_end("old", 0.0)


def test_an_invitation_without_a_frame_is_not_expected_for_long():
    invitations = connected("a", "b")
    invitations.choose(2, 10.0)
    assert invitations.invited(10.0) == 2
    come(invitations, "a")
    assert invitations.invited(10.0 + MAX_INVITATION_S * 0.99) == 1
    assert invitations.invited(10.0 + MAX_INVITATION_S) == 0


def test_a_frame_is_expected_for_as_long_as_its_way_takes_from_the_last_invitation():
    invitations = connected("a", "b")
    assert invitations.expected_s(10.0, 0.5) == 0
    assert invitations.choose(1, 10.0) == ["a"]
    assert invitations.expected_s(10.25, 0.5) == 0.25
    assert invitations.expected_s(10.75, 0.5) == 0
    assert invitations.choose(1, 11.0) == ["b"]
    assert invitations.expected_s(11.25, 0.5) == 0.25
    come(invitations, "b", waited=True)
    invitations.on_frame_end("b", 12.0)
    assert invitations.expected_s(12.25, 0.5) == 0.25, "its next picture waits"


def test_the_next_frame_of_the_only_camera_is_expected_if_the_last_had_waited():
    invitations = Invitations(lambda: 2)
    invitations.on_connected("door", 0)
    later = [(False, MAX_INVITATION_S)] * (EXCESS_FRAMES // 2) + [(False, 0.0)]
    for waited, expected_s in ((False, 0.0), (True, 0.5), *later):
        invitations.choose(1, 1.0)
        come(invitations, "door", waited=waited)
        invitations.on_frame_end("door", 0.0)
        invitations.choose(1, 1.0)
        assert invitations.expected_s(1.0, 0.5) == expected_s
        come(invitations, "door", waited=waited)
        invitations.on_frame_end("door", 0.0)


@pytest.mark.parametrize("sign", [{"waited": True}, {"number": 12}])
def test_a_camera_with_more_pictures_than_are_invited_is_saturated_for_some_frames(sign):
    invitations = Invitations(lambda: 2)
    assert not invitations.saturated
    invitations.on_connected("door", 0)
    for number in (9, 10):
        come(invitations, "door", number=number)
        invitations.on_frame_end("door", 0.0)
        assert not invitations.saturated
    come(invitations, "door", **{"number": 11, **sign})
    for number in range(EXCESS_FRAMES):
        assert invitations.saturated, number
        invitations.on_frame_end("door", 0.0)
        come(invitations, "door", number=number + 1 + sign.get("number", 11))
    assert not invitations.saturated


def test_a_camera_that_offers_a_picture_is_saturated_until_it_is_invited():
    invitations = connected("a")
    assert invitations.saturated
    assert invitations.may_have_more
    invitations.choose(1, 0.0)
    assert not invitations.saturated


def test_a_saturated_camera_may_have_more_frames_up_to_its_limit():
    invitations = Invitations(lambda: 2)
    invitations.on_connected("door", 0)
    assert not invitations.may_have_more
    come(invitations, "door", waited=True)
    assert invitations.may_have_more
    invitations.choose(1, 0.0)
    assert not invitations.may_have_more, "one is under way, and one is invited"
    come(invitations, "door", waited=True)
    assert not invitations.may_have_more
    invitations.on_frame_end("door", 0.0)
    assert invitations.may_have_more


def test_cameras_that_are_gone_or_unknown_are_not_invited():
    invitations = connected("a", "b")
    invitations.on_gone("a")
    invitations.on_offer("nobody")
    assert come(invitations, "nobody") is None
    invitations.on_frame_end("nobody", 0.0)
    assert invitations.choose(5, 1.0) == ["b"]
    invitations.on_gone("b")
    invitations.on_gone("b")
    assert not invitations.may_invite


def test_a_frame_that_was_not_invited_has_no_time():
    assert come(connected("door"), "door") is None


@pytest.mark.parametrize("offers", [True, False])
@given(cameras=st.integers(1, 12), turns=st.lists(st.integers(0, 5), max_size=60))
def test_cameras_are_served_equally_within_one_frame_however_few_are_wanted(offers, cameras, turns):
    """Under overload all of them always have a picture."""
    names = [f"camera-{number}" for number in range(cameras)]
    invitations = connected(*names, offers=offers)
    served = Counter(dict.fromkeys(names, 0))
    for now, count in enumerate(turns, 1):
        chosen = invitations.choose(count, now)
        assert len(chosen) == min(count, cameras)
        for name in chosen:
            served[name] += 1
            come(invitations, name, now)
            invitations.on_frame_end(name, 0.0)
            invitations.on_offer(name)
        assert max(served.values()) - min(served.values()) <= 1


@given(st.lists(st.tuples(st.sampled_from(["invite", "come", "end", "offer"]), st.sampled_from("abc"))))
def test_in_any_order_of_events_the_limit_holds_and_no_camera_is_lost(events):
    invitations = connected("a", "b", "c", max_frames=2)
    invited, under_way = set(), Counter()
    for now, (event, camera) in enumerate(events):
        if event == "invite":
            invited |= set(invitations.choose(1, now))
        elif event == "come" and camera in invited:
            invited.discard(camera)
            under_way[camera] += 1
            come(invitations, camera, now)
        elif event == "end" and under_way[camera]:
            under_way[camera] -= 1
            invitations.on_frame_end(camera, 0.0)
        elif event == "offer":
            invitations.on_offer(camera)
        assert max(under_way.values(), default=0) <= 2
    for camera in "abc":
        if camera in invited:
            come(invitations, camera)
            under_way[camera] += 1
        for _ in range(under_way[camera]):
            invitations.on_frame_end(camera, 0.0)
        invitations.on_offer(camera)
    assert sorted(invitations.choose(3, 1e6)) == ["a", "b", "c"]
