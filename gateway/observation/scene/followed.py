"""One object's part in a scene, from its first sight to its end: whether it counts, its zones, what was told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from gateway.observation.scene.kept import KeptObject
from gateway.observation.scene.zones import ZonePresence, zones_with_object
from shared.payloads.fields import PictureBox, RelativeBox
from shared.payloads.observations import EndReason, EventType, FollowedObject, ObjectEvent

if TYPE_CHECKING:
    from gateway.observation.scene.areas import Image
    from gateway.observation.tracking.tracks import Track

_UPDATE_PERIOD_S = 1.0
"""Updates of one object are not told more often: a box that trembles at the edge of a zone must not flood anybody."""

_MIN_SCORE_GAIN = 0.05
"""How much higher a top score is told anew."""


@dataclass(slots=True)
class SceneObject:
    """A track and what the scene knows of it. The track's times are of the scene's clock, others of the camera's."""

    track: Track
    started_at: float
    """When it was seen first, in seconds since 1970."""
    seen_at: float
    """When it was seen last."""
    presences: dict[str, ZonePresence] = field(default_factory=dict)
    entered: list[str] = field(default_factory=list)
    counts: bool = False
    """Once it does, it does to its end."""
    resumed: bool = False
    """It was kept while no frames came, and no frame has shown it since."""
    _told: ObjectEvent | None = None
    _told_at: float = 0.0

    @classmethod
    def from_kept(cls, kept: KeptObject, track: Track, at: float) -> Self:
        """Return an object that was kept as it is at `at` (seconds of the scene's clock), until a frame shows it."""
        event = kept.event
        presences = {
            zone: ZonePresence(since=at - lingered_s, counts=zone in event.zones)
            for zone, lingered_s in kept.lingered_s.items()
        }
        return cls(
            track, event.start_time, kept.seen_at, presences, list(event.entered_zones), counts=True, resumed=True,
            _told=event, _told_at=at,
        )  # fmt: skip

    def follow_track(self, track: Track, at: float) -> None:
        """Follow the track; a frame of time `at` (seconds since 1970) may show it."""
        self.track = track
        if track.visible:
            self.seen_at, self.resumed = at, False

    @property
    def zones(self) -> tuple[str, ...]:
        """Those that it is in now."""
        return zones_with_object(self.presences)

    def remember_zones(self) -> None:
        """Remember the zones that it is in."""
        self.entered += [name for name in self.zones if name not in self.entered]

    def begin_event(self, camera: str, frame: str, image: Image, at: float) -> ObjectEvent:
        """It counts from now on."""
        self.counts = True
        return self._tell(EventType.NEW, camera, frame, image, at)

    def update_event(self, camera: str, frame: str, image: Image, at: float) -> ObjectEvent | None:
        """What has changed since it was told last, if it is time to tell."""
        told = self._told
        if told is None or at - self._told_at < _UPDATE_PERIOD_S:
            return None
        better = self.track.top_score >= told.top_score + _MIN_SCORE_GAIN
        if better or (told.zones, told.stationary) != (self.zones, self.track.stationary):
            return self._tell(EventType.UPDATE, camera, frame, image, at)
        return None

    def end_event(self, camera: str, frame: str, image: Image, reason: EndReason) -> ObjectEvent:
        """Return the event of its end, which was when it was seen last."""
        event = self._event(EventType.END, camera, frame, image)
        return event.model_copy(update={"end_time": max(self.seen_at, self.started_at), "reason": reason})

    def to_keep(self, camera: str, frame: str, image: Image, at: float) -> KeptObject:
        """Return what makes it the same object after a time without frames, as of `at` by the scene's clock."""
        track = self.track
        lingered = {zone: at - one.since for zone, one in self.presences.items() if one.since is not None}
        return KeptObject(
            event=self._event(EventType.UPDATE, camera, frame, image), hits=track.hits,
            median_score=track.median_score, rested_s=track.rested_s, seen_at=self.seen_at,
            lingered_s={zone: max(0.0, seconds) for zone, seconds in lingered.items()},
        )  # fmt: skip

    def observed(self, image: Image) -> FollowedObject:
        """As states show it."""
        track = self.track
        box, box_rel = rounded_boxes(track.box, image)
        return FollowedObject(
            id=track.id,
            label=track.label,
            score=track.score,
            box=box,
            box_rel=box_rel,
            zones=self.zones,
            stationary=track.stationary,
        )

    def _tell(self, what: EventType, camera: str, frame: str, image: Image, at: float) -> ObjectEvent:
        self._told_at = at
        self._told = self._event(what, camera, frame, image)
        return self._told

    def _event(self, what: EventType, camera: str, frame: str, image: Image) -> ObjectEvent:
        track = self.track
        box, box_rel = rounded_boxes(track.box, image)
        return ObjectEvent(
            type=what,
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


def rounded_boxes(box: PictureBox, image: Image) -> tuple[PictureBox, RelativeBox]:
    """In pixels, and as parts of the picture, as detections are rounded."""
    left, top, right, bottom = box
    width, height = image
    parts = round(left / width, 5), round(top / height, 5), round(right / width, 5), round(bottom / height, 5)
    return PictureBox((round(left, 1), round(top, 1), round(right, 1), round(bottom, 1))), RelativeBox(parts)
