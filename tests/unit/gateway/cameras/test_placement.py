from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.cameras.placement import place

NODES = ("pi-1", "pi-2", "pi-3", "pi-4")
CAMERAS = tuple(f"camera-{number}" for number in range(8))

nodes = st.sets(st.sampled_from(NODES))
wishes = st.dictionaries(st.sampled_from(CAMERAS), st.none() | st.sampled_from(NODES))
currents = st.dictionaries(st.sampled_from(CAMERAS), st.sampled_from(NODES))


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
