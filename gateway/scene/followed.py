"""One object's part in a scene, from its first sight to its end: whether it counts, its zones, what was told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.scene.zones import Presence, those_that_count
from shared.observations import EventType, FollowedObject, ObjectEvent

if TYPE_CHECKING:
    from gateway.scene.areas import Image
    from gateway.tracking.motion import Box
    from gateway.tracking.tracks import Track

UPDATE_EVERY_S = 1.0
"""Updates of one object are not told more often: a box that trembles at the edge of a zone must not flood anybody."""

NOTICEABLE = 0.05
"""How much higher a top score is told anew."""


@dataclass(slots=True)
class Followed:
    """A track and what the scene knows of it."""

    track: Track
    presences: dict[str, Presence] = field(default_factory=dict)
    entered: list[str] = field(default_factory=list)
    counts: bool = False
    """Once it does, it does to its end."""
    _told: ObjectEvent | None = None
    _told_at: float = 0.0

    @property
    def zones(self) -> tuple[str, ...]:
        """Those that it is in now."""
        return those_that_count(self.presences)

    def enter(self) -> None:
        """Remember the zones that it is in."""
        self.entered += [name for name in self.zones if name not in self.entered]

    def begin(self, camera: str, frame: str, image: Image, at: float) -> ObjectEvent:
        """It counts from now on."""
        self.counts = True
        return self._tell(EventType.NEW, camera, frame, image, at)

    def update(self, camera: str, frame: str, image: Image, at: float) -> ObjectEvent | None:
        """What has changed since it was told last, if it is time to tell."""
        told = self._told
        if told is None or at - self._told_at < UPDATE_EVERY_S:
            return None
        better = self.track.top_score >= told.top_score + NOTICEABLE
        if better or (told.zones, told.stationary) != (self.zones, self.track.stationary):
            return self._tell(EventType.UPDATE, camera, frame, image, at)
        return None

    def end(self, camera: str, frame: str, image: Image) -> ObjectEvent:
        """It has ended when it was seen last."""
        return self._tell(EventType.END, camera, frame, image, self.track.last_seen)

    def observation(self, image: Image) -> FollowedObject:
        """As states show it."""
        track = self.track
        box, box_rel = boxes(track.box, image)
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
        track = self.track
        box, box_rel = boxes(track.box, image)
        self._told_at = at
        self._told = ObjectEvent(
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
            start_time=track.first_seen,
            end_time=track.last_seen if what is EventType.END else None,
            frame=frame,
        )
        return self._told


def boxes(box: Box, image: Image) -> tuple[Box, Box]:
    """In pixels, and as parts of the picture, as detections are rounded."""
    left, top, right, bottom = box
    width, height = image
    pixels = round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)
    return pixels, (round(left / width, 5), round(top / height, 5), round(right / width, 5), round(bottom / height, 5))
