from __future__ import annotations

from tests.unit.gateway.observation.scene.filming import BEGIN, Camera, person

YARD = {"coordinates": ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))}


def test_the_first_who_comes_has_appeared_and_the_last_who_goes_has_left():
    gate = Camera()
    gate.film(person(100), frames=5)
    gate.film(person(100), person(300), frames=5)
    gate.film(person(300), frames=60)
    assert gate.words() == ["person_appeared"]
    gate.film(frames=60)
    assert gate.words() == ["person_appeared", "person_left"]


def test_a_trigger_tells_who_where_and_when():
    gate = Camera(zones={"yard": YARD})
    gate.film(person(700), frames=3)
    appeared, in_yard = gate.triggers
    (found,) = gate.scene.state().all.objects
    assert (appeared.name, appeared.camera, appeared.label, appeared.zone) == (
        "person_appeared",
        "gate",
        "person",
        None,
    )
    assert (in_yard.name, in_yard.zone, in_yard.id) == ("person_in_yard", "yard", found.id)
    assert appeared.at == in_yard.at == BEGIN + 0.2


def test_zones_have_triggers_of_their_own():
    gate = Camera(zones={"yard": YARD})
    for x in (300, 450, 600, 750, 600, 450, 300):
        gate.film(person(x), frames=5)
    gate.film(frames=60)
    assert gate.words() == ["person_appeared", "person_in_yard", "person_left_yard", "person_left"]


def test_who_vanishes_in_a_zone_leaves_both():
    gate = Camera(zones={"yard": YARD})
    gate.film(person(700), frames=5)
    gate.clear()
    assert gate.words() == ["person_appeared", "person_in_yard", "person_left", "person_left_yard"]
    assert gate.triggers[-1].id == gate.events[0].id


def test_loitering_is_told_where_a_time_is_set():
    gate = Camera(zones={"yard": {**YARD, "loitering_time": 2}})
    gate.film(person(700), frames=20)
    assert gate.words() == ["person_appeared"]
    gate.film(person(700), frames=5)
    assert gate.words() == ["person_appeared", "person_in_yard", "person_loitering_in_yard"]


def test_words_are_slugs():
    gate = Camera(track=["traffic light"])
    gate.film(person(100, label="traffic light"), frames=3)
    assert gate.words() == ["traffic_light_appeared"]
