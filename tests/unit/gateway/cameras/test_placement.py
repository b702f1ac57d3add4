from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cameras.placement import CAMERA_MOVE_PERIOD_S, EDGES_RETURN_S, Placement

NODES = ("pi-1", "pi-2", "pi-3", "pi-4")
CAMERAS = tuple(f"camera-{number}" for number in range(8))

nodes = st.sets(st.sampled_from(NODES))
wishes = st.dictionaries(st.sampled_from(CAMERAS), st.none() | st.sampled_from(NODES))
currents = st.dictionaries(st.sampled_from(CAMERAS), st.sampled_from(NODES))


def place(wishes, nodes, current):
    """Cameras by their edge, where those of the last run have had their time to come."""
    return Placement((), current, 0.0).place(wishes, nodes, EDGES_RETURN_S)


@pytest.mark.parametrize(
    ("asked", "there", "current", "placed"),
    [
        ({"door": None}, ["pi-1"], {}, {"door": "pi-1"}),
        ({"door": "pi-2"}, ["pi-1", "pi-2"], {}, {"door": "pi-2"}),
        ({"door": "pi-2"}, ["pi-1"], {}, {}),
        ({"door": None}, [], {"door": "pi-1"}, {}),
        ({"door": None}, ["pi-1", "pi-2"], {"door": "pi-2"}, {"door": "pi-2"}),
        ({"door": None}, ["pi-1"], {"door": "pi-2"}, {"door": "pi-1"}),
        ({"door": "pi-1"}, ["pi-1", "pi-2"], {"door": "pi-2"}, {"door": "pi-1"}),
        ({"a": "pi-1", "b": None}, ["pi-1", "pi-2"], {}, {"a": "pi-1", "b": "pi-2"}),
        ({"a": None, "b": None, "c": None}, ["pi-2", "pi-1"], {}, {"a": "pi-1", "b": "pi-2", "c": "pi-1"}),
        ({}, ["pi-1"], {"door": "pi-1"}, {}),
    ],
)
def test_a_camera_goes_where_it_asks_to_be_stays_where_it_is_or_goes_to_whoever_has_the_fewest(
    asked, there, current, placed
):
    assert place(asked, there, current) == placed


@given(wishes, nodes, currents)
def test_a_camera_is_placed_exactly_when_a_node_that_it_may_have_is_there(asked, there, current):
    placed = place(asked, there, current)
    servable = {camera for camera, node in asked.items() if (node in there if node else there)}
    assert placed.keys() == servable
    assert set(placed.values()) <= there
    assert all(asked[camera] in {None, node} for camera, node in placed.items())


@given(wishes, nodes, currents)
def test_a_camera_stays_while_its_node_is_there(asked, there, current):
    placed = place(asked, there, current)
    for camera, node in current.items():
        if camera in asked and asked[camera] is None and node in there:
            assert placed[camera] == node


@given(wishes, nodes, currents)
def test_no_node_is_given_a_camera_while_another_has_fewer(asked, there, current):
    placed = place(asked, there, current)
    load = Counter(placed.values())
    chosen = {node for camera, node in placed.items() if asked[camera] is None and current.get(camera) not in there}
    fewest = min((load[node] for node in there), default=0)
    assert all(load[node] - 1 <= fewest for node in chosen)


@given(wishes, nodes, currents)
def test_the_order_in_which_things_are_named_changes_nothing(asked, there, current):
    backwards = dict(reversed(asked.items()))
    assert place(backwards, sorted(there, reverse=True), current) == place(asked, sorted(there), current)


def test_edges_are_awaited_until_they_come_or_their_time_is_over():
    placement = Placement(["pi-1", "pi-2", "pi-3"], {}, 0.0)
    placement.place({}, ["pi-1"], 1.0)
    assert placement.awaited == {"pi-2", "pi-3"}
    placement.place({}, ["pi-1", "pi-2"], 2.0)
    assert placement.awaited == {"pi-3"}
    placement.place({}, ["pi-1", "pi-2"], EDGES_RETURN_S)
    assert placement.awaited == set()


class Home(RuleBasedStateMachine):
    """Nodes and cameras come and go; what is placed follows from what was placed before."""

    def __init__(self):
        super().__init__()
        self.there: set[str] = set()
        self.wishes: dict[str, str | None] = {}
        self.placed: dict[str, str] = {}

    def place(self):
        before = self.placed
        self.placed = place(self.wishes, self.there, before)
        self.moved = {name for name in self.placed.keys() & before.keys() if self.placed[name] != before[name]}

    @rule(node=st.sampled_from(NODES))
    def node_comes(self, node):
        self.there.add(node)
        self.place()
        assert not self.moved

    @rule(node=st.sampled_from(NODES))
    def node_goes(self, node):
        on_it = {name for name, where in self.placed.items() if where == node}
        self.there.discard(node)
        self.place()
        assert self.moved <= on_it

    @rule(camera=st.sampled_from(CAMERAS), node=st.none() | st.sampled_from(NODES))
    def camera_is_configured(self, camera, node):
        self.wishes[camera] = node
        self.place()
        assert self.moved <= {camera}

    @rule(camera=st.sampled_from(CAMERAS))
    def camera_is_removed(self, camera):
        self.wishes.pop(camera, None)
        self.place()
        assert not self.moved

    @invariant()
    def every_camera_with_a_node_that_is_there_is_placed_and_asking_again_changes_nothing(self):
        assert self.placed.keys() == {
            name for name, node in self.wishes.items() if (node in self.there if node else self.there)
        }
        assert place(self.wishes, self.there, self.placed) == self.placed


TestHome = Home.TestCase


# after a start

THREE = dict.fromkeys(("door", "shed", "yard"))


def test_the_first_edge_to_come_does_not_get_what_others_had_served():
    placement = Placement(["pi-1", "pi-2"], {"door": "pi-1", "shed": "pi-2", "yard": "pi-1"}, 100.0)
    assert placement.place(THREE, ["pi-2"], 100.1) == {"shed": "pi-2"}
    assert placement.place(THREE, ["pi-1", "pi-2"], 101) == {"door": "pi-1", "shed": "pi-2", "yard": "pi-1"}


def test_cameras_that_nobody_had_are_divided_when_all_are_there():
    placement = Placement(["pi-1", "pi-2"], {}, 100.0)
    assert placement.place(THREE, ["pi-2"], 100.1) == {}
    assert Counter(placement.place(THREE, ["pi-1", "pi-2"], 101).values()) == {"pi-1": 2, "pi-2": 1}


def test_who_does_not_come_in_time_is_not_waited_for():
    placement = Placement(["pi-1", "pi-2"], {"door": "pi-1"}, 100.0)
    assert placement.place(THREE, ["pi-2"], 100 + EDGES_RETURN_S - 0.1) == {}
    assert placement.place(THREE, ["pi-2"], 100 + EDGES_RETURN_S) == dict.fromkeys(THREE, "pi-2")


def test_what_waits_for_its_edge_is_not_forgotten_by_another_restart():
    placement = Placement(["pi-1", "pi-2"], {"door": "pi-1", "shed": "pi-2"}, 100.0)
    placement.place(THREE, ["pi-2"], 100.1)
    assert placement.placed == {"door": "pi-1", "shed": "pi-2"}


# rebalancing


def moves(placement, wishes, nodes, busy=(), *, begin=0.0, minutes=10):
    """The minutes after the waiting in which a camera moves."""
    times = range(int(begin), int(begin + EDGES_RETURN_S + 60 * minutes))
    return [now for now in times if placement.rebalance(wishes, nodes, busy, float(now))]


def test_cameras_move_one_a_minute_to_who_has_fewer_until_the_difference_is_one():
    wishes = dict.fromkeys(f"camera-{number}" for number in range(6))
    placement = Placement((), dict.fromkeys(wishes, "pi-1"), 0.0)
    placement.place(wishes, NODES[:2], EDGES_RETURN_S)
    moved = moves(placement, wishes, NODES[:2])
    assert len(moved) == 3
    assert all(after - before >= CAMERA_MOVE_PERIOD_S for before, after in pairwise([EDGES_RETURN_S, *moved]))
    assert Counter(placement.place(wishes, NODES[:2], 1000).values()) == {"pi-1": 3, "pi-2": 3}


@pytest.mark.parametrize(
    ("wishes", "busy"),
    [
        (dict.fromkeys(("a", "b", "c"), "pi-1"), ()),
        (dict.fromkeys(("a", "b", "c")), ("a", "b", "c")),
        (dict.fromkeys(("a", "b")), ("a", "b")),
    ],
    ids=["they name it", "something goes on there", "both"],
)
def test_a_camera_stays_that_names_its_edge_or_sees_something(wishes, busy):
    placement = Placement((), dict.fromkeys(wishes, "pi-1"), 0.0)
    placement.place(wishes, NODES[:2], EDGES_RETURN_S)
    assert moves(placement, wishes, NODES[:2], busy) == []


def test_another_camera_moves_in_the_place_of_one_that_must_stay():
    wishes = dict.fromkeys(("a", "b", "c"))
    placement = Placement((), dict.fromkeys(wishes, "pi-1"), 0.0)
    placement.place(wishes, NODES[:2], EDGES_RETURN_S)
    moves(placement, wishes, NODES[:2], ("a",))
    assert placement.place(wishes, NODES[:2], 1000) == {"a": "pi-1", "b": "pi-2", "c": "pi-1"}


@given(wishes, nodes, currents, st.sets(st.sampled_from(CAMERAS)))
def test_rebalancing_ends_and_only_moves_what_may_move(asked, there, current, busy):
    placement = Placement((), current, 0.0)
    before = placement.place(asked, there, EDGES_RETURN_S)
    moves(placement, asked, there, busy, minutes=12)
    after = placement.place(asked, there, 1000)
    moved = {camera for camera, node in after.items() if before[camera] != node}
    assert not any(asked[camera] or camera in busy for camera in moved)
    load = Counter(dict.fromkeys(there, 0))
    load.update(after.values())
    free = {node for camera, node in after.items() if asked[camera] is None and camera not in busy}
    assert all(load[node] - min(load.values()) <= 1 for node in free)
