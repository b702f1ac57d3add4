"""What is told when frames stop for a while: the camera, its edge or the gateway was away."""

from __future__ import annotations

import pytest

from gateway.observation.scene.kept import OBJECT_RETURN_S
from gateway.observation.scene.scene import PRESUMED_S
from shared.payloads.observations import EndReason
from tests.unit.gateway.observation.scene.filming import Camera, person

YARD = {"coordinates": ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))}


def away(gate, cause, seconds=5.0, **said):
    if cause == "camera":
        gate.suspend(seconds)
    else:
        gate.restart(seconds, **said)


REASONS = {"camera": EndReason.CAMERA_LOST, "gateway": EndReason.GATEWAY_AWAY}
CAUSES = pytest.mark.parametrize("cause", REASONS)


@CAUSES
def test_who_is_still_there_goes_on_and_nobody_is_told(cause):
    gate = Camera(fps=5)
    gate.film(person(100), frames=10)
    away(gate, cause)
    state = gate.film(person(104))
    assert (state.labels["person"].count, state.all.objects[0].id) == (1, gate.events[0].id)
    gate.film(person(104), frames=100)
    assert (gate.kinds()[0], gate.kinds().count("new"), gate.kinds().count("end")) == ("new", 1, 0)
    assert gate.words() == ["person_appeared"]


@CAUSES
def test_who_has_gone_meanwhile_ends_with_the_reason_once_frames_have_missed_it(cause):
    gate = Camera(fps=5, max_disappeared=5)
    gate.film(person(100), frames=10)
    seen_last = gate.seconds
    away(gate, cause)
    assert gate.film().all.count == 1, "one frame is no proof"
    gate.film(frames=30)
    assert gate.kinds() == ["new", "end"]
    end = gate.events[-1]
    assert (end.id, end.reason) == (gate.events[0].id, REASONS[cause])
    assert end.end_time - end.start_time == pytest.approx(seen_last)
    assert gate.words() == ["person_appeared"], "a label is presumed to be there for a while"
    gate.film(frames=30)
    assert gate.words() == ["person_appeared", "person_left"]


@CAUSES
def test_who_comes_first_to_where_nobody_was_is_told_at_once(cause):
    gate = Camera(fps=5)
    gate.film(frames=10)
    away(gate, cause)
    gate.film(person(100), frames=3)
    assert gate.words() == ["person_appeared"]


@CAUSES
def test_another_of_the_same_label_elsewhere_is_new_but_nobody_has_appeared(cause):
    gate = Camera(fps=5, max_disappeared=5)
    gate.film(person(100), frames=10)
    away(gate, cause)
    gate.film(person(900), frames=100)
    assert [kind for kind in gate.kinds() if kind != "update"] == ["new", "new", "end"]
    assert gate.words() == ["person_appeared"]


@CAUSES
def test_after_a_while_whoever_appears_is_told_again(cause):
    gate = Camera(fps=5, max_disappeared=5)
    gate.film(person(100), frames=10)
    away(gate, cause)
    gate.film(frames=round(5 * (PRESUMED_S + 2)))
    gate.film(person(900), frames=5)
    assert gate.words() == ["person_appeared", "person_left", "person_appeared"]


@CAUSES
def test_when_no_frames_come_again_every_event_ends_with_the_reason(cause):
    gate = Camera(fps=5, zones={"yard": YARD})
    gate.film(person(700), frames=10)
    away(gate, cause, 0.0, zones={"yard": YARD})
    state = gate.wait(OBJECT_RETURN_S - 1)
    assert (state.all.count, gate.kinds()) == (0, ["new"])
    gate.wait(OBJECT_RETURN_S + 1)
    assert [(event.type, event.reason) for event in gate.events][1:] == [("end", REASONS[cause])]
    assert gate.words() == ["person_appeared", "person_in_yard", "person_left", "person_left_yard"]
    gate.wait(OBJECT_RETURN_S + 2)
    assert len(gate.events) == 2


def test_a_gateway_that_was_away_for_long_ends_all_at_once_but_looks_before_it_tells_who_left():
    gate = Camera(fps=5)
    gate.film(person(100), frames=10)
    gate.restart(3600)
    gate.wait(0.5)
    assert [event.reason for event in gate.events if event.type == "end"] == [EndReason.GATEWAY_AWAY]
    assert not gate.scene.given_up, "nothing is known before a frame came"
    gate.film(person(100), frames=60)
    assert gate.words() == ["person_appeared"]
    gate.restart(3600)
    gate.wait(0.5)
    gate.film(frames=60)
    assert gate.words() == ["person_appeared", "person_left"]
    gate.film(person(100), frames=10)
    gate.restart(3600)
    gate.wait(OBJECT_RETURN_S + 1)
    assert gate.words()[2:] == ["person_appeared", "person_left"], "no frame has come for as long as is waited"
    assert gate.scene.given_up


@CAUSES
def test_who_is_there_after_a_long_time_is_another_though_nobody_looked_at_the_clock_before_the_first_frame(cause):
    gate = Camera(fps=5)
    gate.film(person(100), frames=10)
    away(gate, cause, OBJECT_RETURN_S + 1)
    gate.film(person(100), frames=5)
    assert gate.kinds() == ["new", "end", "new"]
    assert gate.events[1].reason is REASONS[cause]
    assert gate.words().count("person_left") == {"camera": 1, "gateway": 0}[cause]


def test_what_was_given_up_is_not_presumed_to_be_there_after_a_restart():
    gate = Camera(fps=5)
    gate.film(person(100), frames=10)
    gate.suspend(100)
    gate.wait(0)
    gate.restart(1)
    gate.film(person(100), frames=5)
    assert gate.words() == ["person_appeared", "person_left", "person_appeared"]


def test_what_comes_back_twice_is_still_the_same():
    gate = Camera(fps=5)
    gate.film(person(100), frames=10)
    gate.restart(5)
    gate.restart(5)
    gate.film(person(100), frames=2)
    gate.suspend(5)
    gate.restart(5)
    gate.film(person(100), frames=20)
    assert gate.kinds() == ["new"]
    assert gate.words() == ["person_appeared"]


def test_zones_and_rest_go_on_too():
    zones = {"yard": {**YARD, "loitering_time": 10}}
    gate = Camera(fps=5, zones=zones, stationary_after=20)
    gate.film(person(700), frames=75)
    assert gate.words()[1:] == ["person_in_yard", "person_loitering_in_yard"]
    gate.restart(10, zones=zones, stationary_after=20)
    state = gate.film(person(700))
    assert state.zones["yard"]["person"].count == 1
    assert state.all.objects[0].stationary
    assert gate.words()[3:] == []


def test_a_picture_of_another_size_shows_the_same_place():
    gate = Camera(fps=5)
    gate.film(person(100), frames=10)
    gate.restart()
    half = person(50, 200, height=50, width=20, image=(500, 250))
    gate.film(half, frames=3, image=(500, 250))
    assert gate.kinds() == ["new"]


def test_what_the_file_does_not_follow_any_more_ends_and_its_zones_are_not_spoken_of():
    gate = Camera(fps=5, zones={"yard": YARD})
    gate.film(person(700), frames=10)
    gate.restart(5, track=("car",))
    gate.wait(0.5)
    assert gate.kinds() == ["new", "end"]
    assert gate.words() == ["person_appeared", "person_in_yard"]


def test_a_scene_is_settled_when_enough_frames_came():
    gate = Camera(fps=5)
    assert not gate.scene.settled
    gate.film(frames=2)
    assert not gate.scene.settled
    gate.film()
    assert gate.scene.settled
    gate.suspend()
    assert not gate.scene.settled
    gate.film(person(100), frames=3)
    assert gate.scene.settled
    gate.restart()
    assert not gate.scene.settled
    gate.clear(EndReason.DETECTION_OFF)
    assert gate.scene.settled, "nothing is looked for, so nothing is there"


def test_a_scene_of_few_frames_is_settled_after_two():
    gate = Camera(fps=1 / 30)
    gate.film()
    assert not gate.scene.settled
    gate.film()
    assert gate.scene.settled
