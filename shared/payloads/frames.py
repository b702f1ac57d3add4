"""Information about one frame, and its outcome."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared.payloads.fields import Count, Milliseconds, Name, Time

MAX_PICTURE_SIDE = 16384
"""Pixels; no camera has more, and a square picture of that size exceeds the data plane's limit."""

FRAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,127}$"
"""Names of frames: camera, start time of its agent, number."""


MAX_EARLIER_FRAMES = 32
"""Frames of one camera that may be under way when another frame begins."""


def frame_name(session: str, number: int) -> str:
    """Return the name of a frame, by its number within the session of its camera's agent."""
    return f"{session}-{number:06d}"


def session_of(frame: str) -> str:
    """Return the part of a frame's name that all frames of one agent's session share."""
    return frame.rpartition("-")[0]


class FrameInfo(BaseModel):
    """One frame of one camera. `frame` is unique among all frames of all cameras."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    frame: str = Field(pattern=FRAME_PATTERN)
    camera: Name
    number: Count = Field(description="counts the camera's captured frames from 0")
    captured_at: Time = Field(description="seconds since 1970, by the camera agent's clock")
    height: int = Field(ge=1, le=MAX_PICTURE_SIDE)
    width: int = Field(ge=1, le=MAX_PICTURE_SIDE)
    transfer_ms: Milliseconds = Field(default=0.0, description="from capture to the owner")
    invite_ms: Milliseconds = Field(default=0.0, description="of these, until the owner had room for the frame")
    prepare_ms: Milliseconds = Field(default=0.0, description="letterbox and slicing at the owner")
    after: tuple[Count, ...] = Field(
        default=(), max_length=MAX_EARLIER_FRAMES, description="numbers of the session's frames that are under way"
    )


class Outcome(StrEnum):
    """The outcome of a captured frame: published, or the reason why it was dropped."""

    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    NO_EDGE = "no_edge"
    NO_PLAN = "no_plan"
    NO_ANSWER = "no_answer"
    DEADLINE = "deadline"
    OVERLOAD = "overload"
    OWNER_LOST = "owner_lost"
    REPLANNED = "replanned"
    FAILED = "failed"
    STOPPED = "stopped"
    AGENT_LOST = "agent_lost"


class FrameCounts(BaseModel):
    """The counts of a camera's frames: captured = published + sum of dropped + frames in progress."""

    captured: Count = 0
    published: Count = 0
    dropped: dict[Outcome, Count] = Field(default_factory=dict)

    def count(self, outcome: Outcome) -> None:
        """Count the outcome of one frame."""
        if outcome is Outcome.PUBLISHED:
            self.published += 1
        else:
            self.dropped[outcome] = self.dropped.get(outcome, 0) + 1

    @property
    def under_way(self) -> int:
        """Return the number of frames without an outcome."""
        return self.captured - self.published - sum(self.dropped.values())
