"""The state of a scene that is kept while no frames come, because the camera, its edge or the gateway is away."""

from __future__ import annotations

from pydantic import Field

from gateway.observation.tracking.tracks import Track
from shared.payloads.base import Message
from shared.payloads.fields import PictureBox
from shared.payloads.observations import ObjectEvent

MAX_KEPT_OBJECTS = 256
"""Kept objects of a scene: more than a tracker follows."""

OBJECT_RETURN_S = 60.0
"""An object that is detected again at its place within this time counts as the same; after it, its event ends."""


class KeptObject(Message):
    """An object that has had its `new` event, but not its `end` event.

    `event` is its last state; `rested_s`: how long it had been at rest; `seen_at`: its last detection, in seconds since
    1970; `lingered_s`: by zone, how long it had been in the zone, also in zones where it does not count yet.
    """

    event: ObjectEvent
    hits: int = Field(ge=0)
    median_score: float
    rested_s: float = Field(ge=0)
    seen_at: float
    lingered_s: dict[str, float] = Field(default_factory=dict, max_length=1000)

    def track(self, image: tuple[int, int], first_seen: float) -> Track:
        """Return the object as a track in a picture of this size (width, height in pixels)."""
        event = self.event
        left, top, right, bottom = event.box_rel
        width, height = image
        box = PictureBox((left * width, top * height, right * width, bottom * height))
        return Track(
            event.id, event.label, event.score, event.top_score, self.median_score, box, self.hits, first_seen,
            first_seen, visible=False, stationary=event.stationary, rested_s=self.rested_s,
        )  # fmt: skip


class KeptPlace(Message):
    """A label that was present in a zone of a camera, None: in its picture, and the id of one of its objects."""

    label: str
    zone: str | None = None
    id: str


class KeptScene(Message):
    """The scene of a camera after its last frame. `away_s`: the seconds since the camera or the gateway was lost."""

    away_s: float = Field(default=0.0, ge=0)
    objects: tuple[KeptObject, ...] = Field(default=(), max_length=MAX_KEPT_OBJECTS)
    places: tuple[KeptPlace, ...] = Field(default=(), max_length=MAX_KEPT_OBJECTS * 16)
