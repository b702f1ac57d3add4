"""Follows one object of a scene from its first detection to its end: whether it counts, its zones, its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from gateway.observation.scene.kept import KeptObject
from gateway.observation.scene.zones import ZonePresence, zones_with_object
from shared.detection.detections import relative_box
from shared.payloads.fields import PictureBox
from shared.payloads.observations import EndReason, EventType, FollowedObject, ObjectEvent

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.observation.scene.areas import Image
    from gateway.observation.tracking.tracks import Track
    from shared.payloads.fields import RelativeBox

_UPDATE_PERIOD_S = 1.0
"""Shortest time between two updates of an object, so that a box that jitters at the edge of a zone causes no flood."""

_MIN_SCORE_GAIN = 0.05
"""Increase of the top score that causes an update."""


@dataclass(slots=True)
class SceneObject:
    """A track, and its state in the scene.

    The times of the track are of the CameraClock, others of the camera's clock.
    """

    track: Track
    started_at: float
    """Time of the first detection, in seconds since 1970."""
    seen_at: float
    """Time of the last detection, in seconds since 1970."""
    presences: dict[str, ZonePresence] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    """The zones that it is in now."""
    entered: list[str] = field(default_factory=list)
    counts: bool = False
    """It has had its `new` event. Once true, this stays true."""
    resumed: bool = False
    """It was kept while no frames came, and no frame has shown it since then."""
    _last_event: ObjectEvent | None = None
    _last_event_at: float = 0.0

    @classmethod
    def from_kept(cls, kept: KeptObject, track: Track, at: float) -> Self:
        """Return a kept object at the time `at` of the CameraClock; it is `resumed` until a frame shows it."""
        event = kept.event
        presences = {
            zone: ZonePresence(since=at - lingered_s, counts=zone in event.zones)
            for zone, lingered_s in kept.lingered_s.items()
        }
        return cls(
            track, event.start_time, kept.seen_at, presences, zones_with_object(presences), list(event.entered_zones),
            counts=True, resumed=True, _last_event=event, _last_event_at=at,
        )  # fmt: skip

    def follow_track(self, track: Track, at: float) -> None:
        """Use the new state of the track after a frame, which was captured at `at`, in seconds since 1970."""
        self.track = track
        if track.visible:
            self.seen_at, self.resumed = at, False

    def follow_zones(self) -> None:
        """Update the zones after a change of `presences`, and add them to the entered zones."""
        self.zones = zones_with_object(self.presences)
        self.entered += [name for name in self.zones if name not in self.entered]

    def forget_zones(self, names: Collection[str]) -> None:
        """Forget the presences in these zones, because the zones have changed."""
        self.presences = {name: presence for name, presence in self.presences.items() if name not in names}
        self.zones = zones_with_object(self.presences)

    def begin_event(self, camera: str, frame: str, image: Image, at: float) -> ObjectEvent:
        """Let the object count from now on; return its `new` event."""
        self.counts = True
        return self._new_event(EventType.NEW, camera, frame, image, at)

    def update_event(self, camera: str, frame: str, image: Image, at: float) -> ObjectEvent | None:
        """Return an `update` event if the object has changed since its last event, and that was long enough ago."""
        last = self._last_event
        if last is None or at - self._last_event_at < _UPDATE_PERIOD_S:
            return None
        better = self.track.top_score >= last.top_score + _MIN_SCORE_GAIN
        if better or (last.zones, last.stationary) != (self.zones, self.track.stationary):
            return self._new_event(EventType.UPDATE, camera, frame, image, at)
        return None

    def end_event(self, camera: str, frame: str, image: Image, reason: EndReason) -> ObjectEvent:
        """Return the `end` event of the object; its end is the time of the last detection."""
        event = self._event(EventType.END, camera, frame, image)
        return event.model_copy(update={"end_time": max(self.seen_at, self.started_at), "reason": reason})

    def to_keep(self, camera: str, frame: str, image: Image, at: float) -> KeptObject:
        """Return the object in the form in which it is kept while no frames come; `at` is of the CameraClock."""
        track = self.track
        lingered = {
            zone: at - presence.since for zone, presence in self.presences.items() if presence.since is not None
        }
        return KeptObject(
            event=self._event(EventType.UPDATE, camera, frame, image), hits=track.hits,
            median_score=track.median_score, rested_s=track.rested_s, seen_at=self.seen_at,
            lingered_s={zone: max(0.0, seconds) for zone, seconds in lingered.items()},
        )  # fmt: skip

    def observed(self, image: Image) -> FollowedObject:
        """Return the object in the form of states."""
        track = self.track
        box, box_rel = published_boxes(track, image)
        return FollowedObject(
            id=track.id,
            label=track.label,
            score=track.score,
            box=box,
            box_rel=box_rel,
            zones=self.zones,
            stationary=track.stationary,
        )

    def _new_event(self, kind: EventType, camera: str, frame: str, image: Image, at: float) -> ObjectEvent:
        self._last_event_at = at
        self._last_event = self._event(kind, camera, frame, image)
        return self._last_event

    def _event(self, kind: EventType, camera: str, frame: str, image: Image) -> ObjectEvent:
        track = self.track
        box, box_rel = published_boxes(track, image)
        return ObjectEvent(
            type=kind,
            id=track.id,
            camera=camera,
            label=track.label,
            score=track.score,
            top_score=track.top_score,
            box=box,
            box_rel=box_rel,
            zones=self.zones,
            entered_zones=tuple(self.entered),
            stationary=track.stationary,
            start_time=self.started_at,
            frame=frame,
        )


def published_boxes(track: Track, image: Image) -> tuple[PictureBox, RelativeBox]:
    """Return a track's box in pixels, and as fractions of the picture, rounded in the same way as detections."""
    if track.box_rel is not None:
        return track.box, track.box_rel
    left, top, right, bottom = track.box
    pixels = round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)
    return PictureBox(pixels), relative_box(track.box, *image)
