from __future__ import annotations

import pytest

from tests.unit.gateway.observation.scene.filming import BEGIN, Camera, person

YARD = {"coordinates": ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))}


def test_an_object_counts_with_the_third_detection_whose_median_reaches_the_threshold():
    gate = Camera()
    assert gate.film(person(100), frames=2).all.count == 0
    assert gate.film(person(100)).all.count == 1
    (new,) = gate.events
    assert (new.type, new.label, new.camera, new.frame) == ("new", "person", "gate", "gate-2")
    assert (new.start_time, new.end_time, new.top_score) == (BEGIN, None, 0.8)


def test_an_object_below_the_threshold_does_not_count_and_has_no_events():
    gate = Camera()
    gate.film(person(100, score=0.69), frames=100)
    gate.film(frames=100)
    assert gate.events == []
    assert gate.words() == []


@pytest.mark.parametrize(("fps", "detections"), [(10, 3), (1, 3), (0.9, 2), (0.2, 2)])
def test_slow_cameras_need_two_detections(fps, detections):
    gate = Camera(fps)
    gate.film(frames=5)
    counts = [gate.film(person(100)).all.count for _ in range(4)]
    assert counts == [0] * (detections - 1) + [1] * (5 - detections)


def test_who_counts_does_so_to_the_end_whatever_the_scores():
    gate = Camera()
    gate.film(person(100, score=0.75), frames=5)
    assert gate.film(person(100, score=0.55), frames=30).all.count == 1


def test_the_end_tells_when_it_was_seen_last():
    gate = Camera(max_disappeared=3)
    gate.film(person(100), frames=11)
    gate.film(frames=31)
    assert gate.kinds() == ["new", "end"]
    end = gate.events[-1]
    assert (end.start_time, end.end_time) == (BEGIN, BEGIN + 1)
    assert end.box == (80, 300, 120, 400)
    assert end.id == gate.events[0].id


def test_changes_are_told_at_most_once_a_second():
    gate = Camera(zones={"yard": {**YARD, "inertia": 1}})
    gate.film(person(490), frames=3)
    for _ in range(20):
        gate.film(person(510))
        gate.film(person(490))
    assert gate.kinds() == ["new", *["update"] * (gate.kinds().count("update"))]
    assert 2 <= gate.kinds().count("update") <= 4


def test_a_change_that_could_not_be_told_is_told_later():
    gate = Camera(zones={"yard": {**YARD, "inertia": 1}})
    gate.film(person(490), frames=3)
    gate.film(person(510), frames=9)
    assert gate.kinds() == ["new"]
    gate.film(person(510))
    assert gate.kinds() == ["new", "update"]
    assert (gate.events[-1].zones, gate.events[-1].entered_zones) == (("yard",), ("yard",))


def test_a_change_that_was_undone_meanwhile_is_not_told():
    gate = Camera(zones={"yard": {**YARD, "inertia": 1}})
    gate.film(person(490), frames=3)
    gate.film(person(510), frames=4)
    gate.film(person(490), frames=20)
    assert gate.kinds() == ["new"]


def test_zones_that_were_entered_are_remembered_in_order():
    left = {"coordinates": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))}
    gate = Camera(zones={"yard": YARD, "path": left})
    for x in (490, 510, 490):
        gate.film(person(x), frames=20)
    gate.clear()
    assert (gate.events[-1].zones, gate.events[-1].entered_zones) == (("path",), ("path", "yard"))


def test_becoming_stationary_is_told_and_moving_again_too():
    gate = Camera(stationary_after=2)
    gate.film(person(100), frames=25)
    assert [(event.type, event.stationary) for event in gate.events] == [("new", False), ("update", True)]
    gate.film(person(120), frames=2)
    gate.film(person(120), frames=8)
    assert [(event.type, event.stationary) for event in gate.events][2:] == [("update", False)]


def test_a_better_score_is_told_when_it_is_noticeable():
    gate = Camera()
    gate.film(person(100, score=0.75), frames=20)
    gate.film(person(100, score=0.79), frames=30)
    assert gate.kinds() == ["new"]
    gate.film(person(100, score=0.8), frames=30)
    assert gate.kinds() == ["new", "update"]
    assert gate.events[-1].top_score == 0.8


def test_a_frame_out_of_order_changes_nothing():
    gate = Camera()
    before = gate.film(person(100), frames=5)
    update = gate.film_late(0.2, person(800), person(900))
    assert (update.state, update.events, update.triggers) == (before, (), ())


def test_without_frames_those_end_whom_enough_frames_have_missed_by_the_cameras_clock():
    """The gateway's clock is an hour ahead of it."""
    gate = Camera(max_disappeared=5)
    gate.film(person(100), person(800), frames=5)
    gate.film(person(800), frames=2)
    gate.wait(4.8)
    assert gate.kinds() == ["new", "new"]
    state = gate.wait(4.9)
    assert gate.kinds() == ["new", "new", "end"]
    assert [found.box[0] for found in state.all.objects] == [780]
    assert gate.wait(1000).all.count == 1, "a still scene sends few frames"


def test_when_the_camera_goes_all_ends():
    gate = Camera()
    gate.film(person(100), person(800, label="car", width=150), frames=5)
    state = gate.clear()
    assert sorted(gate.kinds()) == ["end", "end", "new", "new"]
    assert [state.all.count, *(one.count for one in state.labels.values())] == [0, 0, 0]
    assert gate.clear() == state
    assert len(gate.events) == 4


def test_who_is_seen_after_that_is_somebody_new():
    gate = Camera()
    gate.film(person(100), frames=5)
    gate.clear()
    gate.film(person(100), frames=5)
    assert gate.kinds() == ["new", "end", "new"]
    assert len({event.id for event in gate.events}) == 2


def test_a_label_that_is_not_followed_any_more_ends():
    gate = Camera()
    gate.film(person(100), person(800, label="car", width=150), frames=5)
    state = gate.apply(labels=("person",))
    assert [(event.type, event.label) for event in gate.events[2:]] == [("end", "car")]
    assert (set(state.labels), state.all.count) == ({"person"}, 1)
    assert gate.words()[-1] == "car_left"
    gate.film(person(100), person(800, label="car", width=150), frames=5)
    gate.apply()
    gate.film(person(100), person(800, label="car", width=150), frames=5)
    assert gate.kinds() == ["new", "new", "end", "new"]


def test_switching_detection_off_ends_all_and_nothing_begins():
    gate = Camera()
    gate.film(person(100), frames=5)
    gate.apply(enabled=False)
    assert gate.kinds() == ["new", "end"]
    state = gate.film(person(100), frames=5)
    assert (dict(state.labels), state.all.count, len(gate.events)) == ({}, 0, 2)


def test_a_higher_threshold_ends_what_never_reached_it():
    gate = Camera()
    gate.film(person(100, score=0.75), person(800, score=0.95), frames=5)
    gate.apply(threshold=0.9)
    assert [event.score for event in gate.events if event.type == "end"] == [0.75]


def test_a_lower_threshold_makes_count_what_is_there():
    gate = Camera()
    gate.film(person(100, score=0.62), frames=5)
    gate.apply(threshold=0.6)
    assert gate.film(person(100, score=0.62)).all.count == 1


def test_a_zone_that_is_taken_away_is_left():
    gate = Camera(zones={"yard": YARD})
    gate.film(person(700), frames=15)
    state = gate.apply()
    assert dict(state.zones) == {}
    assert state.all.objects[0].zones == ()
    assert gate.words() == ["person_appeared", "person_in_yard", "person_left_yard"]
    gate.film(person(700))
    assert [(event.type, event.zones) for event in gate.events] == [("new", ("yard",)), ("update", ())]


def test_a_zone_elsewhere_is_entered_anew():
    gate = Camera(zones={"yard": YARD})
    gate.film(person(700), frames=5)
    moved = {"coordinates": ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0))}
    assert gate.apply(zones={"yard": moved}).zones["yard"]["person"].count == 0
    assert gate.film(person(700), frames=3).zones["yard"]["person"].count == 1


def test_what_does_not_change_is_kept_when_settings_are_applied():
    gate = Camera(zones={"yard": YARD})
    before = gate.film(person(700), frames=5)
    after = gate.apply(zones={"yard": YARD})
    assert after == before
    assert gate.kinds() == ["new"]


def test_the_trackers_settings_are_applied_too():
    gate = Camera(max_disappeared=5, stationary_after=100)
    gate.film(person(100), person(800), frames=20)
    gate.apply(max_disappeared=1, stationary_after=1)
    state = gate.film(person(100), frames=12)
    assert [found.stationary for found in state.all.objects] == [True]
    assert gate.kinds().count("end") == 1
