"""Keeps the list of this gateway's retained topics over restarts, and finds stale topics in it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cameras.motion_states import MOTION_SETTING
from gateway.cameras.mqtt_values import CAMERA_SETTINGS
from gateway.integrations.frigate.counts import FRIGATE_ALL
from gateway.integrations.frigate.messages import topic_level
from gateway.observation.scene.states import ALL_LABELS
from gateway.state.state_file import TopicName
from shared.mqtt import topics
from shared.payloads.base import Message
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gateway.cameras.area_switches import SwitchedArea
    from gateway.configuration.cameras import CameraSection
    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder

RETAINED_FILE = "retained.json"

_LOST = "topics of cameras that are removed while the gateway is stopped will not be cleared at the broker"

MAX_RETAINED_TOPICS = 50_000
"""Topics in the list: enough for 256 cameras with a hundred labels and a few zones each. More are not cleared later."""

BY_HAND_RETURN_S = 60.0
"""A camera of the last run that was started by hand has this long to return before its topics are stale."""

RETAINED_WRITE_PERIOD_S = 1.0
"""The list is written at most this often, because hundreds of topics are added at a start."""


class _Content(Message):
    topics: tuple[TopicName, ...] = ()
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedTopics:
    """The topics that may be retained: by name, or by their beginning."""

    names: frozenset[str]
    beginnings: tuple[str, ...]

    def __contains__(self, topic: str) -> bool:
        return topic in self.names or topic.startswith(self.beginnings)


class RetainedTopics:
    """The list of retained topics. `by_hand` are the cameras of the last run that were started by hand."""

    def __init__(self, folder: StateFolder) -> None:
        self._file: StateFile[_Content] = folder.register_file(RETAINED_FILE, _Content, _LOST, durable=False)
        content = self._file.read() or _Content()
        self._topics = set(content.topics)
        self.by_hand = frozenset(content.by_hand)
        self._written = content
        self._written_at = -RETAINED_WRITE_PERIOD_S

    def note_topic(self, topic: str, *, retained: bool) -> None:
        """Note that a topic has a retained message, or that it has none any more."""
        if not retained:
            self._topics.discard(topic)
        elif len(self._topics) < MAX_RETAINED_TOPICS:
            self._topics.add(topic)

    def stale_topics(self, expected: ExpectedTopics) -> list[str]:
        """Return the retained topics that are not expected, sorted."""
        return sorted(topic for topic in self._topics if topic not in expected)

    def pending_write(self, by_hand: Iterable[str], *, last: bool = False) -> Callable[[], None] | None:
        """Return a function that writes the file, to be called in a thread; None if nothing has changed.

        Also None within RETAINED_WRITE_PERIOD_S after the last write, unless this is the `last` write.
        """
        now = time.monotonic()
        if now - self._written_at < RETAINED_WRITE_PERIOD_S and not last:
            return None
        content = _Content(topics=tuple(sorted(self._topics)), by_hand=tuple(sorted(by_hand)))
        if content == self._written and not self._file.missing():
            return None
        self._written_at = now
        return lambda: self._write(content)

    def _write(self, content: _Content) -> None:
        if self._file.write(content):
            self._written = content


def expected_topics(
    cameras: Mapping[str, CameraSection],
    labels: Mapping[str, Sequence[str]],
    by_hand: Iterable[str],
    *,
    prefix: str,
    frigate: str | None,
    areas: Mapping[str, Iterable[SwitchedArea]],
    profile: bool,
) -> ExpectedTopics:
    """Return the topics that these cameras and the gateway itself may have retained. Pure.

    `labels` are the followed labels, by camera; of cameras that were started `by_hand`, all topics are expected.
    `areas` are the zones and masks with a switch, by camera. `profile`: a profile is configured. `prefix` is the first
    level of our topics; `frigate` the first level of Frigate's topics, None if they are not published.
    """
    names = {
        topic.full_path(prefix=prefix)
        for topic in (topics.BRIDGE_STATE, topics.BRIDGE_INFO, topics.BRIDGE_NODES, topics.BRIDGE_HEALTH, topics.PLAN)
    }
    for name, camera in cameras.items():
        names |= set(_of_camera(prefix, name, camera, labels[name]))
        names |= set(_of_areas(prefix, name, areas[name]))
        if frigate is not None:
            names |= set(_of_camera_in_frigate(frigate, name, camera, labels[name]))
    if profile:
        names.add(topics.PROFILE.full_path(prefix=prefix))
    beginnings = [f"{prefix}/cluster/"]
    for name in by_hand:
        beginnings += [f"{prefix}/detections/{name}/", f"{prefix}/cameras/{name}/"]
        beginnings += [f"{frigate}/{name}/"] if frigate is not None else []
    if frigate is not None:
        names.add(f"{frigate}/available")
    return ExpectedTopics(frozenset(names), tuple(beginnings))


def _of_camera(prefix: str, name: str, camera: CameraSection, labels: Sequence[str]) -> Iterator[str]:
    yield topics.CAMERA_AVAILABILITY.full_path(name, prefix=prefix)
    yield topics.CAMERA_STATS.full_path(name, prefix=prefix)
    for setting in CAMERA_SETTINGS:
        yield topics.CAMERA_SETTING.full_path(name, setting, prefix=prefix)
    if camera.motion.enabled:
        yield topics.CAMERA_SETTING.full_path(name, MOTION_SETTING, prefix=prefix)
    for label in (ALL_LABELS, *map(slug, labels)):
        yield topics.OBJECTS.full_path(name, label, prefix=prefix)
    for zone, settings in camera.zones.items():
        zone_labels = [label for label in labels if not settings.objects or label in settings.objects]
        for label in (ALL_LABELS, *map(slug, zone_labels)):
            yield topics.ZONE_OBJECTS.full_path(name, zone, label, prefix=prefix)
    if camera.snapshots.enabled:
        yield topics.SNAPSHOT.full_path(name, prefix=prefix)
        for label in labels:
            yield topics.LABEL_SNAPSHOT.full_path(name, slug(label), prefix=prefix)


def _of_areas(prefix: str, name: str, areas: Iterable[SwitchedArea]) -> Iterator[str]:
    for area in areas:
        topic = topics.ZONE_SWITCH if area.is_zone else topics.CAMERA_SETTING
        yield topic.full_path(name, area.name, prefix=prefix)


def _of_camera_in_frigate(prefix: str, name: str, camera: CameraSection, labels: Sequence[str]) -> Iterator[str]:
    yield f"{prefix}/{name}/detect/state"
    for place in (name, *camera.zones):
        for label in (FRIGATE_ALL, *map(topic_level, labels)):
            yield f"{prefix}/{place}/{label}"
            yield f"{prefix}/{place}/{label}/active"
    if camera.snapshots.enabled:
        for label in labels:
            yield f"{prefix}/{name}/{topic_level(label)}/snapshot"
