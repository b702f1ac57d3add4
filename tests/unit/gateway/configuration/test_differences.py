from __future__ import annotations

import pytest

from camera_sources.camera_settings import CameraSettings
from gateway.configuration.cameras import CameraSection
from gateway.configuration.differences import (
    AGENT_KEYS,
    CHANGEABLE_SECTIONS,
    RESTART_SECTIONS,
    ConfigurationChanges,
    compare_configurations,
)
from gateway.configuration.root import Configuration

YARD = {"yard": {"coordinates": "0,0,1,0,1,1"}}


def configuration(front=None, **sections):
    """Two cameras, `front` with more keys."""
    cameras = {"front": {"source": "rtsp://u:p@h/", **(front or {})}, "back": {"source": "test://"}}
    return Configuration.model_validate({"cameras": cameras, **sections})


def test_nothing_changed_is_no_difference():
    assert compare_configurations(configuration(), configuration()) == ConfigurationChanges()


@pytest.mark.parametrize(
    "keys",
    [{"source": "rtsp://u:other@h/"}, {"fps": 5}, {"stale_after": "1m"}, {"fps": "all"}, {"motion": {"enabled": False}},
     {"crop": [0, 0, 1, 0.5]}, {"edge": "attic"}, {"enabled": False}],
)  # fmt: skip
def test_what_the_agent_must_know_begins_the_camera_again(keys):
    assert compare_configurations(configuration(), configuration(keys)) == ConfigurationChanges(restarted=("front",))


@pytest.mark.parametrize(
    "keys",
    [{"objects": {"track": "cat"}}, {"zones": YARD}, {"detect": {"enabled": False}}, {"snapshots": {"height": 100}},
     {"friendly_name": "Front"}],
)  # fmt: skip
def test_what_the_gateway_alone_must_know_leaves_the_camera_alone(keys):
    assert compare_configurations(configuration(), configuration(keys)) == ConfigurationChanges(rearranged=("front",))


def test_a_camera_that_begins_again_is_not_told_twice():
    assert compare_configurations(configuration(), configuration({"fps": 5, "zones": YARD})) == ConfigurationChanges(
        restarted=("front",)
    )


def test_cameras_come_and_go():
    old = Configuration.model_validate({"cameras": {"a": {"source": "test://"}, "b": {"source": "test://"}}})
    new = Configuration.model_validate({"cameras": {"c": {"source": "test://"}, "b": {"source": "test://"}}})
    assert compare_configurations(old, new) == ConfigurationChanges(added=("c",), removed=("a",))


def test_objects_for_all_cameras_concern_those_without_their_own():
    own = {"objects": {"track": "dog"}}
    assert compare_configurations(configuration(own), configuration(own, objects={"track": "cat"})).rearranged == (
        "back",
    )


def test_objects_that_move_from_all_to_one_change_nothing_for_it():
    moved = configuration({"objects": {"track": "cat"}})
    assert compare_configurations(configuration(objects={"track": "cat"}), moved).rearranged == ("back",)


@pytest.mark.parametrize(
    ("section", "value"),
    [("mqtt", {"port": 1}), ("model", {"cut": "x"}), ("cluster", {"lease": 2}), ("state", "/elsewhere"),
     ("frigate_compat", {"enabled": True})],
)  # fmt: skip
def test_sections_that_need_a_restart(section, value):
    assert compare_configurations(configuration(), configuration(**{section: value})) == ConfigurationChanges(
        gateway=(section,)
    )


@pytest.mark.parametrize(
    ("section", "value"),
    [("home_assistant", {"enabled": False}), ("hooks", {"webhooks": [{"url": "http://h/", "secret": "x"}]})],
)
def test_sections_that_take_effect_at_once(section, value):
    assert compare_configurations(configuration(), configuration(**{section: value})) == ConfigurationChanges(
        sections=(section,)
    )


def test_a_changed_secret_is_a_difference():
    old, new = ({"webhooks": [{"url": "http://h/", "secret": secret}]} for secret in ("a", "b"))
    assert compare_configurations(configuration(hooks=old), configuration(hooks=new)).sections == ("hooks",)


def test_every_key_is_in_one_of_the_groups():
    assert set(Configuration.model_fields) == {*RESTART_SECTIONS, *CHANGEABLE_SECTIONS, "cameras", "objects"}
    assert set(CameraSettings.model_fields) < set(AGENT_KEYS) < set(CameraSection.model_fields)
