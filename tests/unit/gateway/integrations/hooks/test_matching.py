from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.automation import CommandHookSection
from gateway.integrations.hooks.matching import hook_matches, kind_of
from shared.payloads.observations import EventType
from tests.hook_events import event, trigger


def hook(**asked):
    return CommandHookSection(command=("true",), **asked)


def test_each_event_has_its_word():
    events = [*(event(kind) for kind in EventType), trigger()]
    assert [kind_of(each) for each in events] == ["new", "update", "end", "trigger"]


def test_a_hook_that_names_nothing_is_for_the_beginning_and_the_end_of_everything():
    asked = [hook_matches(hook(), each) for each in (*(event(kind) for kind in EventType), trigger())]
    assert asked == [True, False, True, False]


@pytest.mark.parametrize("name", ["cameras", "labels"])
def test_a_hook_for_others_is_not_asked(name):
    ours = {"cameras": "front", "labels": "person"}[name]
    assert hook_matches(hook(**{name: ("other", ours)}), event())
    assert not hook_matches(hook(**{name: ("other",)}), event())
    assert not hook_matches(hook(**{name: (ours.upper(),)}), event())


def test_a_zone_counts_that_the_object_is_in_or_was_in():
    wanted = hook(zones=("yard", "street"), events=("end", "trigger"))
    assert hook_matches(wanted, event(EventType.END, zones=("yard",)))
    assert hook_matches(wanted, event(EventType.END, entered=("door", "street")))
    assert not hook_matches(wanted, event(EventType.END, zones=("door",), entered=("door",)))
    assert not hook_matches(wanted, event(EventType.END))


def test_a_trigger_counts_in_its_zone():
    wanted = hook(zones=("yard",), events=("trigger",))
    assert hook_matches(wanted, trigger("person_in_yard", zone="yard"))
    assert not hook_matches(wanted, trigger("person_in_door", zone="door"))
    assert not hook_matches(wanted, trigger("person_appeared"))


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True).map(tuple)
KINDS = st.lists(st.sampled_from(["new", "update", "end", "trigger"]), max_size=4, unique=True).map(tuple)
EVENTS = st.one_of(
    st.builds(
        event, st.sampled_from(EventType), camera=st.sampled_from("abc"), label=st.sampled_from("abc"),
        zones=NAMES, entered=NAMES,
    ),
    st.builds(trigger, camera=st.sampled_from("abc"), label=st.sampled_from("abc"), zone=st.sampled_from("abc")),
)  # fmt: skip


@given(KINDS, NAMES, NAMES, NAMES, EVENTS)
def test_each_filter_only_ever_takes_away(events, cameras, labels, zones, seen):
    everything = ("new", "update", "end", "trigger")
    one_by_one = [
        hook_matches(hook(events=events), seen),
        hook_matches(hook(events=everything, cameras=cameras), seen),
        hook_matches(hook(events=everything, labels=labels), seen),
        hook_matches(hook(events=everything, zones=zones), seen),
    ]
    assert hook_matches(hook(events=events, cameras=cameras, labels=labels, zones=zones), seen) == all(one_by_one)
