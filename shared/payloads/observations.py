"""Payloads of the public topics below `detections`: followed objects, their events and triggers."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from shared.payloads.base import Message
from shared.payloads.fields import PictureBox, RelativeBox


class FollowedObject(Message):
    """An object that is followed from frame to frame with the same `id`."""

    id: str
    label: str
    score: float
    box: PictureBox = Field(description="left, top, right, bottom, in pixels of the picture")
    box_rel: RelativeBox = Field(description="the same, as parts of the picture's size")
    zones: tuple[str, ...] = Field(default=(), description="the zones that it is in now")
    stationary: bool = False


class LabelState(Message):
    """The objects of one label, or of all labels, in a camera's picture or in one of its zones."""

    count: int
    active: int = Field(description="objects that are not stationary")
    objects: tuple[FollowedObject, ...] = ()
    frame: str = Field(default="", description="the frame that shows them; empty before the first")
    captured_at: float = Field(default=0.0, description="seconds since 1970")
    latency_ms: float = Field(default=0.0, description="from capture to publication")
    degraded: bool = Field(default=False, description="frames of this camera were lost recently")


class EventType(StrEnum):
    NEW = "new"
    UPDATE = "update"
    END = "end"


class EndReason(StrEnum):
    """The reason why an event ended."""

    GONE = "gone"  # frames did not show it any more
    CAMERA_LOST = "camera_lost"  # its camera was offline, and did not show it again
    CAMERA_ENDED = "camera_ended"
    CAMERA_REMOVED = "camera_removed"
    DETECTION_OFF = "detection_off"
    NOT_FOLLOWED = "not_followed"  # its label is not followed any more, or its score is too low now
    GATEWAY_AWAY = "gateway_away"  # the gateway was not running, and did not see it again


class ObjectEvent(Message):
    """A followed object begins to count, enters or leaves a zone, stops or moves on, or is gone."""

    type: EventType
    id: str
    camera: str
    label: str
    score: float
    top_score: float
    box: PictureBox
    box_rel: RelativeBox
    zones: tuple[str, ...] = Field(default=(), description="the zones that it is in now")
    entered_zones: tuple[str, ...] = Field(default=(), description="all zones that it has been in, in order")
    stationary: bool = False
    start_time: float = Field(description="seconds since 1970")
    end_time: float | None = Field(default=None, description="seconds since 1970 when it was last seen")
    reason: EndReason | None = Field(default=None, description="the reason of the end")
    frame: str = ""


class Trigger(Message):
    """A word that an automation can wait for: person_appeared, person_in_yard ..."""

    name: str
    camera: str
    label: str
    zone: str | None = None
    id: str
    at: float = Field(description="seconds since 1970")
