"""What is kept of a scene while no frames of it come: while its camera, its edge or the gateway is away."""

from __future__ import annotations

from pydantic import Field

from gateway.observation.tracking.tracks import Track
from shared.payloads.base import Message
from shared.payloads.fields import PictureBox
from shared.payloads.observations import ObjectEvent

MAX_KEPT_OBJECTS = 256
"""More than a tracker follows."""

OBJECT_RETURN_S = 60.0
"""An object that is seen again within this time at the same place is the same; then its event ends."""


class KeptObject(Message):
    """An object whose `new` was told and whose `end` was not.

    `lingered_s` has the zones that it is in, or lingers in, and for how long it had been there.
    """

    event: ObjectEvent
    hits: int = Field(ge=0)
    median_score: float
    rested_s: float = Field(ge=0)
    seen_at: float
    lingered_s: dict[str, float] = Field(default_factory=dict, max_length=1000)

    def track(self, image: tuple[int, int], first_seen: float) -> Track:
        """Return it as a track in a picture of this width and height."""
        event = self.event
        left, top, right, bottom = event.box_rel
        width, height = image
        box = PictureBox((left * width, top * height, right * width, bottom * height))
        return Track(
            event.id, event.label, event.score, event.top_score, self.median_score, box, self.hits, first_seen,
            first_seen, visible=False, stationary=event.stationary, rested_s=self.rested_s,
        )  # fmt: skip


class KeptPlace(Message):
    """A label that was seen at a camera, or in a zone of it, and the id of an object there."""

    label: str
    zone: str | None = None
    id: str


class KeptScene(Message):
    """One camera's scene as it was when its last frame came; `away_s`: no frame had come for so long, for a reason."""

    away_s: float = Field(default=0.0, ge=0)
    objects: tuple[KeptObject, ...] = Field(default=(), max_length=MAX_KEPT_OBJECTS)
    places: tuple[KeptPlace, ...] = Field(default=(), max_length=MAX_KEPT_OBJECTS * 16)
