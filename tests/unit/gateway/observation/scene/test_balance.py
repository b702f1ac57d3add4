"""Whatever happens to a camera, what it tells fits together."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.extent import examples
from tests.unit.gateway.observation.scene.filming import Camera, person

ZONES = {
    "yard": {"coordinates": ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), "inertia": 1},
    "porch": {"coordinates": ((0.3, 0.0), (0.7, 0.0), (0.7, 1.0), (0.3, 1.0)), "loitering_time": 1, "inertia": 2},
}
LABELS = ("person", "car", "dog")

objects = st.builds(
    person,
    st.integers(0, 20).map(lambda place: 50 * place),
    score=st.sampled_from([0.45, 0.65, 0.7, 0.9]),
    label=st.sampled_from(LABELS),
)


class Life(RuleBasedStateMachine):
    """A camera and all that may happen to it."""

    def __init__(self):
        super().__init__()
        self.camera = Camera(fps=4, track=LABELS, zones=ZONES, max_disappeared=2, stationary_after=2)
        self.state = self.camera.scene.state()

    @rule(found=st.lists(objects, max_size=4), frames=st.integers(1, 6))
    def film(self, found, frames):
        self.state = self.camera.film(*found, frames=frames)

    @rule(step=st.integers(-60, 60), frames=st.integers(1, 20))
    def walk(self, step, frames):
        for n in range(frames):
            self.state = self.camera.film(person(500 + step * n))

    @rule(back=st.sampled_from([0.0, 0.3, 5.0, 100.0]), found=st.lists(objects, max_size=2))
    def late(self, back, found):
        self.state = self.camera.film_late(self.camera.seconds - back, *found).state

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds):
        self.state = self.camera.wait(seconds)

    @rule()
    def clear(self):
        self.state = self.camera.clear()

    @rule(away_s=st.sampled_from([0.0, 5.0, 100.0]))
    def lose_the_camera(self, away_s):
        self.state = self.camera.suspend(away_s)

    @rule(set_by_s=st.sampled_from([-3600.0, -20.0, 0.5, 3600.0]))
    def set_the_clock(self, set_by_s):
        self.camera.steady = True
        self.camera.set_by_s += set_by_s

    @rule(away_s=st.sampled_from([0.0, 5.0, 100.0]))
    def restart_the_gateway(self, away_s):
        self.camera.restart(away_s, track=LABELS, zones=ZONES, max_disappeared=2, stationary_after=2)
        self.state = self.camera.scene.state()

    @rule(
        zones=st.sets(st.sampled_from(sorted(ZONES))),
        threshold=st.sampled_from([None, 0.3, 0.7, 0.85]),
        labels=st.none() | st.sets(st.sampled_from(LABELS)).map(tuple),
        enabled=st.booleans() | st.just(True),
    )
    def apply(self, zones, threshold, labels, enabled):
        chosen = {name: ZONES[name] for name in zones}
        self.state = self.camera.apply(
            track=LABELS, zones=chosen, threshold=threshold, labels=labels, enabled=enabled, max_disappeared=2
        )

    def teardown(self):
        """In the end the camera goes."""
        self.state = self.camera.clear()
        assert self.state.all.count == 0
        lives = defaultdict(Counter)
        for event in self.camera.events:
            lives[event.id][event.type] += 1
        assert all(life["new"] == life["end"] == 1 for life in lives.values())
        self.triggers_alternate()
        assert not self.open_places()

    @invariant()
    def events_tell_the_state(self):
        """Those who count are those of whom `new` was told and `end` was not; nothing is told before or after."""
        open_ids = set()
        for event in self.camera.events:
            assert (event.id in open_ids) == (event.type != "new")
            assert (event.end_time is not None) == (event.type == "end")
            assert event.end_time is None or event.end_time >= event.start_time
            if event.type == "new":
                open_ids.add(event.id)
            elif event.type == "end":
                open_ids.remove(event.id)
        kept = {kept.event.id for kept in self.camera.scene.to_keep(self.camera.now()).objects}
        assert open_ids == kept
        assert {found.id for found in self.state.all.objects} in (kept, set())

    @invariant()
    def triggers_alternate(self):
        """Nobody comes twice without leaving between."""
        there = set()
        for trigger in self.camera.triggers:
            if "loitering" in trigger.name:
                continue
            begins = "_appeared" in trigger.name or "_in_" in trigger.name
            assert ((trigger.label, trigger.zone) in there) != begins
            (there.add if begins else there.remove)((trigger.label, trigger.zone))

    @invariant()
    def triggers_tell_the_state(self):
        occupied = {(label, None) for label, one in self.state.labels.items() if one.count}
        for zone, labels in self.state.zones.items():
            occupied |= {(label, zone) for label, one in labels.items() if one.count and label != "all"}
        assert self.open_places() >= occupied
        if self.camera.scene.settled:
            assert self.open_places() <= occupied | set(self.camera.scene._presumed)

    @invariant()
    def counts_add_up(self):
        assert self.state.all.count == sum(one.count for one in self.state.labels.values())
        for labels in self.state.zones.values():
            assert labels["all"].count == sum(one.count for label, one in labels.items() if label != "all")

    def open_places(self):
        return {
            place
            for place, count in Counter(
                (t.label, t.zone) for t in self.camera.triggers if "loiter" not in t.name
            ).items()
            if count % 2
        }


TestLife = Life.TestCase
TestLife.settings = profile(max_examples=examples(60), stateful_step_count=25, deadline=None)
