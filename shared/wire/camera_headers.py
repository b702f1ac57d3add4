"""Headers of the messages between a camera's agent and its edge."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.payloads.cluster import MAX_REASON_LENGTH, State
from shared.payloads.fields import Count, Milliseconds, Name, Rate
from shared.payloads.frames import FRAME_PATTERN, FrameCounts, FrameInfo, Outcome
from shared.wire.codec import MessageKind
from shared.wire.header import ByteCount, Header

MAX_UNDER_WAY = 64
"""Frames of one camera; an edge invites at most 16, those of earlier connections included."""

MAX_SHARED_PICTURES = 18
"""Pictures in an agent's shared memory: as many as an edge invites at once, and two that it keeps for a while."""

FrameNumber = Count
FrameName = Annotated[str, Field(pattern=FRAME_PATTERN)]


class SharedMemory(BaseModel):
    """Memory that a process shares (shared.wire.shared_pictures): its id, and the memory's descriptor and name there.

    The name is a secret of the agent.
    """

    model_config = ConfigDict(frozen=True)

    process: int = Field(ge=1, le=2**31 - 1)
    file: int = Field(ge=0, le=2**31 - 1)
    name: str = Field(pattern=r"^deepthings-[0-9a-f]{32}$", repr=False)


class CameraHeader(Header):
    """Camera agent to edge, first message: the camera whose frames will follow. Answered by READY or REFUSED.

    `token` is a secret of the agent, the same for all its connections. `under_way` are frames of earlier connections
    whose outcome it has not received, by number; the edge sends an OUTCOME for each of them. `offers`: the agent can
    send OFFER. `memory`: the agent can put its pictures there, for an edge on the same machine. `permit`: what the edge
    has written into a file that only its own user can read, for agents that this user starts by hand.
    """

    kind = MessageKind.CAMERA
    camera: Name
    token: str = Field(default="", max_length=64, repr=False)
    under_way: dict[FrameNumber, FrameName] = Field(default_factory=dict, max_length=MAX_UNDER_WAY)
    offers: bool = False
    memory: SharedMemory | None = None
    permit: str = Field(default="", max_length=64, repr=False)


class FrameHeader(Header):
    """Camera agent to edge: a picture, uint8 BGR (height, width, 3).

    With an `offset` there is no payload: the picture is in the agent's shared memory, from that byte. For the trace:
    `capture_ms` after `captured_at` it was decoded and selected, `invite_ms` later the edge had room for it; reading
    the camera took `cpu_ms` of CPU time since the frame before. `waited`: it was there when it was invited.
    """

    kind = MessageKind.FRAME
    info: FrameInfo
    offset: ByteCount | None = None
    waited: bool = False
    capture_ms: Milliseconds = 0.0
    invite_ms: Milliseconds = 0.0
    cpu_ms: Milliseconds = 0.0


class OfferHeader(Header):
    """Camera agent to edge: a picture waits for a READY. Sent again after each READY."""

    kind = MessageKind.OFFER


class ReadyHeader(Header):
    """Edge to camera agent: request for the newest frame. `shared`: its picture may be put into the shared memory."""

    kind = MessageKind.READY
    shared: bool = False


class OutcomeHeader(Header):
    """Edge to camera agent: the outcome of a frame.

    `released` are frames whose pictures in the shared memory are not read any more.
    """

    kind = MessageKind.OUTCOME
    number: Count
    outcome: Outcome
    released: tuple[FrameNumber, ...] = Field(default=(), max_length=MAX_SHARED_PICTURES)


class ReportHeader(Header):
    """Camera agent to edge: counts of frames, sent regularly; `ended` when no frame will follow.

    `state` is the camera's, with the `reason` why it is offline; `fps`, `width` and `height` (pixels) are those of its
    pictures, 0 when unknown. `motion`: something moves in them; None while nothing measures it.
    """

    kind = MessageKind.REPORT
    counts: FrameCounts
    ended: bool = False
    state: State | None = None
    reason: str = Field(default="", max_length=MAX_REASON_LENGTH)
    fps: Rate = 0.0
    width: Count = 0
    height: Count = 0
    motion: bool | None = None


class ControlHeader(Header):
    """Edge to camera agent: turns detection on or off, and limits frames a second (None: as in the settings).

    `look`: frames are needed now even without motion, as the gateway does not know the scene. `offers`: the agent must
    send an OFFER for a picture that waits, because no READY comes without one; the only agent of an edge need not.
    """

    kind = MessageKind.CONTROL
    detect: bool = True
    look: bool = False
    offers: bool = False
    fps: float | None = Field(default=None, gt=0, le=240)
