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
"""At most this many frames of one camera are under way. An edge invites 16, those of earlier connections included."""

MAX_SHARED_PICTURES = 18
"""Pictures in an agent's shared memory: the 16 that an edge may have invited, and two that it keeps a moment longer."""

FrameNumber = Count
FrameName = Annotated[str, Field(pattern=FRAME_PATTERN)]


class SharedMemory(BaseModel):
    """Memory that an agent shares, see shared.wire.shared_pictures.

    `process` is the id of the agent, `file` the memory's descriptor in that process, `name` a secret of the agent.
    """

    model_config = ConfigDict(frozen=True)

    process: int = Field(ge=1, le=2**31 - 1)
    file: int = Field(ge=0, le=2**31 - 1)
    name: str = Field(pattern=r"^deepthings-[0-9a-f]{32}$", repr=False)


class CameraHeader(Header):
    """Camera agent to edge, first message: the camera whose frames will follow. Answered by READY or REFUSED.

    `token` is a secret of the agent, the same for all its connections. `under_way` are the names, by number, of frames
    of earlier connections whose outcome the agent has not received; the edge sends an OUTCOME for each of them.
    `offers`: the agent can send OFFER. `memory` is shared memory for pictures, which an edge on the same machine can
    read. `permit` is the content of the edge's permit file, which proves that an agent that was started by hand belongs
    to the edge's user.
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

    With an `offset` there is no payload: the picture begins at this byte of the agent's shared memory. `waited`: the
    picture was there when the edge invited it. The others are for the trace. `capture_ms` is the time from
    `captured_at` until the picture was decoded and selected, `invite_ms` the time from then until the edge had room for
    it, `cpu_ms` the CPU time that reading the camera took since the last frame.
    """

    kind = MessageKind.FRAME
    info: FrameInfo
    offset: ByteCount | None = None
    waited: bool = False
    capture_ms: Milliseconds = 0.0
    invite_ms: Milliseconds = 0.0
    cpu_ms: Milliseconds = 0.0


class OfferHeader(Header):
    """Camera agent to edge: a picture is waiting for a READY. The agent sends another OFFER after each READY."""

    kind = MessageKind.OFFER


class ReadyHeader(Header):
    """Edge to camera agent: request for the newest frame. `shared`: its picture may be put into the shared memory."""

    kind = MessageKind.READY
    shared: bool = False


class OutcomeHeader(Header):
    """Edge to camera agent: the outcome of a frame.

    `released` are the numbers of frames whose pictures in the shared memory the edge has finished reading.
    """

    kind = MessageKind.OUTCOME
    number: Count
    outcome: Outcome
    released: tuple[FrameNumber, ...] = Field(default=(), max_length=MAX_SHARED_PICTURES)


class ReportHeader(Header):
    """Camera agent to edge: counts of frames, sent regularly; `ended` when no frame will follow.

    `state` is the state of the camera, with the `reason` why it is offline. `fps` is the rate of its pictures, `width`
    and `height` their size in pixels; 0 when unknown. `motion`: something moves in them; None while nothing measures
    it.
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

    `look`: frames are needed even without motion, because the gateway does not know the scene. `offers`: the agent must
    send an OFFER for each waiting picture, because the edge sends no READY without one; if an edge has only one agent,
    no OFFER is needed.
    """

    kind = MessageKind.CONTROL
    detect: bool = True
    look: bool = False
    offers: bool = False
    fps: float | None = Field(default=None, gt=0, le=240)
