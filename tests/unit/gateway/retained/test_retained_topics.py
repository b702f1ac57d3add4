from __future__ import annotations

import json

import pytest

from gateway.cameras.area_switches import SwitchedArea
from gateway.configuration.root import Configuration
from gateway.retained.retained_topics import RETAINED_FILE, RetainedTopics, expected_topics
from gateway.state.state_folder import StateFolder

CAMERAS = Configuration.model_validate(
    {
        "cameras": {
            "door": {
                "source": "test://",
                "zones": {
                    "porch": {"coordinates": "0,0,1,0,1,1,0,1"},
                    "lawn": {"coordinates": "0,0,1,0,1,1,0,1", "objects": ["dog"]},
                },
            },
            "yard": {"source": "test://", "snapshots": {"enabled": False}},
        }
    }
).cameras
LABELS = {"door": ("person", "traffic light", "dog"), "yard": ("person",)}


AREAS = {"door": (SwitchedArea("mask_objects_1", "objects 1", False, "mask of objects: 0"),), "yard": ()}


def expected(*, by_hand=(), prefix="deepthings", frigate="frigate"):
    return expected_topics(CAMERAS, LABELS, by_hand, prefix=prefix, frigate=frigate, areas=AREAS, profile=True)


def test_what_is_published_of_cameras_is_expected():
    for topic in (
        "bridge/state", "bridge/health", "cluster/plan", "cluster/cameras/pi-1", "cameras/door/availability",
        "cameras/door/stats", "cameras/yard/labels/state", "detections/door/all", "detections/door/traffic_light",
        "detections/door/zones/porch/person", "detections/door/zones/lawn/dog", "detections/door/zones/lawn/all",
        "detections/door/snapshot", "detections/door/traffic_light/snapshot", "detections/yard/person",
        "cameras/door/motion/state", "cameras/door/mask_objects_1/state", "bridge/profile/state",
    ):  # fmt: skip
        assert f"deepthings/{topic}" in expected(), topic
    for topic in ("available", "door/traffic light", "porch/person/active", "door/detect/state", "door/dog/snapshot"):
        assert f"frigate/{topic}" in expected(), topic


def test_what_was_removed_is_not():
    for topic in (
        "deepthings/cameras/attic/availability", "deepthings/detections/door/car", "deepthings/detections/yard/dog",
        "deepthings/detections/door/zones/gate/person", "deepthings/detections/door/zones/lawn/person",
        "deepthings/detections/yard/snapshot", "frigate/attic/person", "frigate/gate/person", "other/bridge/state",
    ):  # fmt: skip
        assert topic not in expected(), topic
    assert "frigate/door/person" not in expected(frigate=None)


def test_of_a_camera_that_was_started_by_hand_everything_is_expected():
    topics = ("deepthings/detections/try/zones/a/car", "deepthings/cameras/try/stats", "frigate/try/car/active")
    assert all(topic in expected(by_hand=["try"]) for topic in topics)
    assert not any(topic in expected(by_hand=["tr"]) for topic in topics)


def test_what_was_retained_is_known_after_a_restart(tmp_path):
    before = RetainedTopics(StateFolder(tmp_path))
    before.note_topic("deepthings/detections/door/car", retained=True)
    before.note_topic("deepthings/detections/door/person", retained=True)
    before.note_topic("deepthings/detections/door/dog", retained=True)
    before.note_topic("deepthings/detections/door/dog", retained=False)
    before.pending_write(["try"])()
    after = RetainedTopics(StateFolder(tmp_path))
    assert after.stale_topics(expected()) == ["deepthings/detections/door/car"]
    assert after.by_hand == {"try"}
    assert after.pending_write(["try"]) is None, "nothing has changed"
    after.note_topic("deepthings/detections/door/car", retained=False)
    assert after.stale_topics(expected()) == []


def test_a_file_that_is_damaged_is_said_and_written_anew(tmp_path, caplog):
    (tmp_path / RETAINED_FILE).write_text("{")
    topics = RetainedTopics(StateFolder(tmp_path))
    assert "will not be cleared at the broker" in caplog.text
    topics.note_topic("deepthings/bridge/state", retained=True)
    topics.pending_write([])()
    assert json.loads((tmp_path / RETAINED_FILE).read_text())["content"]["topics"] == ["deepthings/bridge/state"]


def test_what_comes_within_the_last_second_is_written_when_the_gateway_stops(tmp_path):
    before = RetainedTopics(StateFolder(tmp_path))
    before.note_topic("deepthings/detections/door/car", retained=True)
    before.pending_write([])()
    before.note_topic("deepthings/detections/door/car/snapshot", retained=True)
    assert before.pending_write([]) is None
    before.pending_write([], last=True)()
    assert len(RetainedTopics(StateFolder(tmp_path)).stale_topics(expected())) == 2


def test_what_could_not_be_written_or_was_removed_is_written_again(tmp_path):
    before = RetainedTopics(StateFolder(tmp_path / "state"))
    before.note_topic("deepthings/detections/door/car", retained=True)
    (tmp_path / "state").write_bytes(b"no folder")
    before.pending_write([])()
    (tmp_path / "state").unlink()
    before.pending_write([], last=True)()
    assert before.pending_write([], last=True) is None
    (tmp_path / "state" / RETAINED_FILE).unlink()
    before.pending_write([], last=True)()
    assert RetainedTopics(StateFolder(tmp_path / "state")).stale_topics(expected()) == [
        "deepthings/detections/door/car"
    ]


@pytest.mark.parametrize("topic", ["", "deepthings/#", "deepthings/+/person", "deepthings/\0"])
def test_a_topic_to_which_nothing_can_be_published_is_damage(tmp_path, topic, caplog):
    (tmp_path / RETAINED_FILE).write_text(json.dumps({"topics": [topic]}))
    assert RetainedTopics(StateFolder(tmp_path)).stale_topics(expected()) == []
    assert "will not be cleared at the broker" in caplog.text
