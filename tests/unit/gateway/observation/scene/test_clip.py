"""The bundled clip, as the built-in model sees it, from the first to the last event."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

from tests.unit.gateway.observation.scene.filming import Camera
from tests.unit.gateway.observation.tracking.footage import IMAGE, frames

LAWN = {"coordinates": ((0.0, 0.0), (0.55, 0.0), (0.3, 0.25), (0.0, 0.22))}


def filmed(rounds=1, **said):
    """The camera behind the clip, which begins again at its end, with a threshold that fits the small model."""
    gate = Camera(fps=10, threshold=0.55, **said)
    for _ in range(rounds):
        for found in frames():
            gate.film(*found, image=IMAGE)
    return gate


def test_events_balance():
    gate = filmed(rounds=3)
    gate.clear()
    kinds = defaultdict(Counter)
    for event in gate.events:
        kinds[event.id][event.type] += 1
    assert len(kinds) > 20
    assert all(life["new"] == life["end"] == 1 for life in kinds.values())


def test_people_come_and_go():
    gate = filmed()
    counts = Counter(event.label for event in gate.events if event.type == "new")
    assert 11 <= counts["person"] <= 14
    assert counts["car"] >= 1
    assert gate.words()[0] == "person_appeared"


def test_nobody_but_who_walks_there_is_on_the_lawn():
    gate = filmed(zones={"lawn": LAWN})
    assert gate.words().count("person_in_lawn") == gate.words().count("person_left_lawn") == 1
    (came,) = [trigger.at for trigger in gate.triggers if trigger.name == "person_in_lawn"]
    (left,) = [trigger.at for trigger in gate.triggers if trigger.name == "person_left_lawn"]
    assert 5 < left - came < 15


def test_what_is_told_is_bounded():
    gate = filmed(rounds=2)
    told = defaultdict(list)
    for event in gate.events:
        if event.type != "end":
            told[event.id].append(int(event.frame.partition("-")[2]))
    for moments in told.values():
        assert all(after - before >= 10 for before, after in itertools.pairwise(moments))
