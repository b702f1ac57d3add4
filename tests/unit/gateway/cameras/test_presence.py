from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cameras.presence import (
    CAMERA_SILENCE_TIMEOUT_S,
    MAX_KNOWN_CAMERAS,
    REMOVED_CAMERA_TIMEOUT_S,
    CameraPresence,
    PresenceChange,
)
from shared.payloads.cluster import AGENT_STOPPED, CameraStats, State
from shared.payloads.frames import FrameCounts

CAMERAS = ("door", "yard", "shed")
NODES = ("pi-1", "pi-2")


def stats(camera="door", node="pi-1", *, state: State | None = State.ONLINE, reason="", ended=False, **more):
    return CameraStats(camera=camera, node=node, counts=FrameCounts(), ended=ended, state=state, reason=reason, **more)


@pytest.fixture
def presence():
    """Of one configured camera."""
    presence = CameraPresence()
    presence.expect_cameras(["door"])
    return presence


@pytest.fixture
def there(presence):
    presence.on_stats(stats(), 10)
    return presence


def test_a_configured_camera_is_known_and_not_there_until_it_is_heard_of(presence):
    assert presence.cameras == ("door",)
    assert not presence.is_online("door")
    assert presence.offline_reason("door") == "no edge has reported it yet"


def test_a_camera_nobody_knows_is_not_there_and_has_no_reason(presence):
    assert not presence.is_online("yard")
    assert presence.offline_reason("yard") == ""


def test_a_camera_that_is_heard_of_is_there(presence):
    assert presence.on_stats(stats(), 10) == PresenceChange("door", online=True)
    assert presence.is_online("door")
    assert presence.offline_reason("door") == ""


def test_a_camera_of_which_it_is_not_known_whether_its_pictures_come_is_there(presence):
    assert presence.on_stats(stats(state=None), 10) == PresenceChange("door", online=True)


def test_the_same_words_again_are_no_change(there):
    assert there.on_stats(stats(), 11) is None


def test_a_camera_that_is_offline_from_the_first_is_no_change_and_its_reason_is_known(presence):
    assert presence.on_stats(stats(state=State.OFFLINE, reason="wrong password"), 10) is None
    assert presence.offline_reason("door") == "wrong password"


def test_a_camera_whose_pictures_stop_is_lost_for_the_reason_that_its_agent_tells(there):
    change = there.on_stats(stats(state=State.OFFLINE, reason="no picture for 30 s"), 11)
    assert change == PresenceChange("door", online=False, reason="no picture for 30 s")
    assert there.offline_reason("door") == "no picture for 30 s"


def test_the_newest_reason_holds(there):
    there.on_stats(stats(state=State.OFFLINE, reason="no picture for 30 s"), 11)
    assert there.on_stats(stats(state=State.OFFLINE, reason="connection refused"), 12) is None
    assert there.offline_reason("door") == "connection refused"


def test_a_camera_whose_source_has_ended_is_lost_whatever_else_is_said(there):
    assert there.on_stats(stats(ended=True, reason="x"), 11) == PresenceChange("door", False, "its source has ended")


def test_a_camera_that_comes_back_has_no_reason_any_more(there):
    there.on_stats(stats(state=State.OFFLINE, reason="connection refused"), 11)
    assert there.on_stats(stats(), 12) == PresenceChange("door", online=True)
    assert there.offline_reason("door") == ""


def test_a_camera_that_is_silent_for_too_long_is_lost_once(there):
    assert there.expire_silent(10 + CAMERA_SILENCE_TIMEOUT_S) == []
    (change,) = there.expire_silent(10 + CAMERA_SILENCE_TIMEOUT_S + 0.1)
    assert change == PresenceChange("door", False, "no edge reports it any more")
    assert there.expire_silent(1000) == []


def test_every_word_keeps_a_camera_there(there):
    there.on_stats(stats(), 9 + CAMERA_SILENCE_TIMEOUT_S)
    assert there.expire_silent(11 + CAMERA_SILENCE_TIMEOUT_S) == []
    assert [change.camera for change in there.expire_silent(9.1 + 2 * CAMERA_SILENCE_TIMEOUT_S)] == ["door"]


def test_a_camera_that_was_never_there_is_not_lost_for_being_silent(presence):
    assert presence.expire_silent(1000) == []


def test_the_cameras_of_an_edge_that_is_gone_are_lost_and_no_others(there):
    there.on_stats(stats("yard", "pi-2"), 10)
    assert there.on_node_lost("pi-1") == [PresenceChange("door", False, "its edge pi-1 is gone")]
    assert there.on_node_lost("pi-1") == []
    assert there.is_online("yard")


def test_a_camera_that_was_lost_before_its_edge_was_keeps_its_reason(there):
    there.on_stats(stats(state=State.OFFLINE, reason="wrong password"), 11)
    assert there.on_node_lost("pi-1") == there.expire_silent(1000) == []
    assert there.offline_reason("door") == "wrong password"


def test_a_camera_that_moved_is_its_new_edges(there):
    there.on_stats(stats(node="pi-2"), 11)
    assert there.on_node_lost("pi-1") == []
    assert [change.camera for change in there.on_node_lost("pi-2")] == ["door"]


def test_a_camera_that_was_started_by_hand_is_known(presence):
    assert presence.on_stats(stats("yard"), 10) == PresenceChange("yard", online=True)
    assert presence.cameras == ("door", "yard")


def test_a_camera_that_is_removed_is_not_known_whatever_its_agent_still_says_until_it_is_configured_again(there):
    there.forget_camera("door", 1000)
    there.forget_camera("door", 1000)
    assert (there.cameras, there.is_online("door"), there.offline_reason("door")) == ((), False, "")
    assert there.expire_silent(1000) == there.on_node_lost("pi-1") == []
    assert there.on_stats(stats(), 1001) is None
    there.expect_cameras(["door"])
    assert there.on_stats(stats(), 1002) == PresenceChange("door", online=True)


def test_a_camera_of_that_name_that_is_started_by_hand_later_is_known(there):
    there.forget_camera("door", 1000)
    assert there.on_stats(stats(), 1000 + REMOVED_CAMERA_TIMEOUT_S) == PresenceChange("door", online=True)


def test_it_is_known_for_how_long_a_camera_has_been_there(presence):
    assert presence.online_for_s("door", 5) == 0
    presence.on_stats(stats(), 10)
    presence.on_stats(stats(), 20)
    assert presence.online_for_s("door", 25) == 15
    presence.on_stats(stats(state=State.OFFLINE), 30)
    assert presence.online_for_s("door", 35) == 0


def test_a_camera_that_its_edge_reads_for_a_gateway_that_has_it_no_more_is_not_known(presence):
    assert presence.on_stats(stats("yard", assigned=True), 10) is None
    assert presence.is_leaving(stats("yard", assigned=True), 10)
    assert presence.cameras == ("door",)
    assert presence.on_stats(stats("door", assigned=True), 10) == PresenceChange("door", online=True)


@pytest.mark.parametrize(("reason", "finished"), [("ended", True), ("", True), (AGENT_STOPPED, False)])
def test_a_source_that_has_ended_is_no_agent_that_was_stopped(there, reason, finished):
    change = there.on_stats(stats(ended=True, reason=reason), 11)
    assert change == PresenceChange("door", False, "its source has ended" if finished else AGENT_STOPPED)
    assert there.source_ended("door") is finished
    there.on_stats(stats(), 12)
    assert not there.source_ended("door")


def test_names_without_end_are_not_listened_to(there):
    for number in range(MAX_KNOWN_CAMERAS + 5):
        there.on_stats(stats(f"c{number}"), 11)
    assert len(there.cameras) == MAX_KNOWN_CAMERAS
    assert there.on_stats(stats(state=State.OFFLINE, reason="x"), 12) == PresenceChange("door", False, "x")


def test_what_is_known_of_a_camera_survives_another_configuration(there):
    there.expect_cameras(["door", "yard"])
    assert there.is_online("door")
    assert not there.is_online("yard")


class Life(RuleBasedStateMachine):
    """Whatever is heard: who follows the changes knows what is there."""

    def __init__(self):
        super().__init__()
        self.presence = CameraPresence()
        self.now = 0.0
        self.followed: dict[str, bool] = {}
        self.heard: dict[str, tuple[float, str]] = {}
        self.removed: dict[str, float] = {}

    def follow(self, changes):
        for change in changes:
            assert change.online is not self.followed.get(change.camera, False)
            assert change.online is (change.reason == "")
            self.followed[change.camera] = change.online

    @rule(names=st.sets(st.sampled_from(CAMERAS)))
    def are_configured(self, names):
        self.presence.expect_cameras(names)
        self.removed = {name: at for name, at in self.removed.items() if name not in names}

    @rule(camera=st.sampled_from(CAMERAS))
    def is_removed(self, camera):
        self.presence.forget_camera(camera, self.now)
        self.followed.pop(camera, None)
        self.removed[camera] = self.now

    @rule(camera=st.sampled_from(CAMERAS), node=st.sampled_from(NODES), state=st.none() | st.just(State.ONLINE))
    def is_well(self, camera, node, state):
        self.follow(filter(None, [self.presence.on_stats(stats(camera, node, state=state), self.now)]))
        self.heard[camera] = self.now, node
        assert self.presence.is_online(camera) is (
            self.now - self.removed.get(camera, -1e9) >= REMOVED_CAMERA_TIMEOUT_S
        )

    @rule(camera=st.sampled_from(CAMERAS), node=st.sampled_from(NODES), ended=st.booleans())
    def is_not_well(self, camera, node, ended):
        said = stats(camera, node, state=State.OFFLINE, reason="no route", ended=ended)
        self.follow(filter(None, [self.presence.on_stats(said, self.now)]))
        assert not self.presence.is_online(camera)

    @rule(node=st.sampled_from(NODES))
    def edge_goes(self, node):
        self.follow(self.presence.on_node_lost(node))
        assert not [name for name, (_, on) in self.heard.items() if on == node and self.presence.is_online(name)]

    @rule(passed_s=st.floats(0, 2 * CAMERA_SILENCE_TIMEOUT_S))
    def time_passes(self, passed_s):
        self.now += passed_s
        self.follow(self.presence.expire_silent(self.now))

    @invariant()
    def the_followed_is_what_is_there(self):
        there = {name for name in CAMERAS if self.presence.is_online(name)}
        assert there == {name for name, online in self.followed.items() if online}
        assert there <= set(self.presence.cameras)
        assert all((self.presence.offline_reason(name) == "") is (name in there) for name in self.presence.cameras)

    @invariant()
    def nobody_is_there_who_was_silent_for_too_long(self):
        self.follow(self.presence.expire_silent(self.now))
        assert all(
            self.now - at <= CAMERA_SILENCE_TIMEOUT_S
            for name, (at, _) in self.heard.items()
            if self.presence.is_online(name)
        )


TestLife = Life.TestCase
