"""What is told of followed objects: payloads of the public topics below `detections`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from shared.payloads.base import Message
from shared.payloads.fields import PictureBox, RelativeBox


class FollowedObject(Message):
    """An object that is followed from frame to frame; `id` stays the same while it is."""

    id: str
    label: str
    score: float
    box: PictureBox = Field(description="left, top, right, bottom, in pixels of the picture")
    box_rel: RelativeBox = Field(description="the same, as parts of the picture's size")
    zones: tuple[str, ...] = Field(default=(), description="those that it is in now")
    stationary: bool = False


class LabelState(Message):
    """All objects of one label that a camera, or one of its zones, sees now; of any label where the topic says so."""

    count: int
    active: int = Field(description="those that are not stationary")
    objects: tuple[FollowedObject, ...] = ()
    frame: str = Field(default="", description="the frame that says so; empty before the first")
    captured_at: float = Field(default=0.0, description="seconds since 1970")
    latency_ms: float = Field(default=0.0, description="from capture to publication")
    degraded: bool = Field(default=False, description="frames of this camera were lost of late")


class EventType(StrEnum):
    NEW = "new"
    UPDATE = "update"
    END = "end"


class EndReason(StrEnum):
    """Why an event ended."""

    GONE = "gone"  # frames did not show it any more
    CAMERA_LOST = "camera_lost"  # its camera was away, and did not show it again
    CAMERA_ENDED = "camera_ended"
    CAMERA_REMOVED = "camera_removed"
    DETECTION_OFF = "detection_off"
    NOT_FOLLOWED = "not_followed"  # its label, or its score, does not count any more
    GATEWAY_AWAY = "gateway_away"  # the gateway was away, and did not see it again


class ObjectEvent(Message):
    """A followed object begins to count, changes its zones or its being stationary, or is gone."""

    type: EventType
    id: str
    camera: str
    label: str
    score: float
    top_score: float
    box: PictureBox
    box_rel: RelativeBox
    zones: tuple[str, ...] = Field(default=(), description="those that it is in now")
    entered_zones: tuple[str, ...] = Field(default=(), description="all that it has been in, in order")
    stationary: bool = False
    start_time: float = Field(description="seconds since 1970")
    end_time: float | None = Field(default=None, description="when it was seen last")
    reason: EndReason | None = Field(default=None, description="why it has ended")
    frame: str = ""


class Trigger(Message):
    """Something an automation may wait for, as a word: person_appeared, person_in_yard ..."""

    name: str
    camera: str
    label: str
    zone: str | None = None
    id: str
    at: float = Field(description="seconds since 1970")
