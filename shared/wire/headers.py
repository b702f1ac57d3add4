"""The header of every kind of data-plane message. Unknown fields are ignored; known ones are checked."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import ProtocolError
from shared.frames import FRAME_PATTERN, LONGEST_SIDE, NAME_PATTERN, FrameCounts, FrameInfo, Outcome
from shared.wire.codec import Kind

SHA256_PATTERN = r"^[0-9a-f]{64}$"


class Header(BaseModel):
    """Base of all headers."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: ClassVar[Kind]

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes | bytearray) -> Self:
        """Raises ProtocolError naming the first field that is wrong."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "header"
            raise ProtocolError(f"{cls.kind.name}: {where}: {first['msg']}") from error


class Camera(Header):
    """Camera agent to edge, first of all: this is who will send frames. Answered by Ready or Refused."""

    kind = Kind.CAMERA
    camera: str = Field(pattern=NAME_PATTERN)


class Frame(Header):
    """Camera agent to edge: a picture, uint8 BGR (height, width, 3)."""

    kind = Kind.FRAME
    info: FrameInfo


class Ready(Header):
    """Edge to camera agent: send the newest frame you have."""

    kind = Kind.READY


class FrameOutcome(Header):
    """Edge to camera agent: what became of a frame."""

    kind = Kind.OUTCOME
    number: int
    outcome: Outcome


class Report(Header):
    """Camera agent to edge: its account, now and then; `ended` when no frame will follow."""

    kind = Kind.REPORT
    counts: FrameCounts
    ended: bool = False


class Take(Header):
    """Thief to victim: give me a tile from the back of your queue. Answered by Tile or Absent."""

    kind = Kind.TAKE
    thief: str = Field(pattern=NAME_PATTERN)
    epoch: int


class Tile(Header):
    """Victim to thief: a tile's pixels, uint8 (height, width, 3), and the lease on it."""

    kind = Kind.TILE
    info: FrameInfo
    epoch: int
    owner: str = Field(pattern=NAME_PATTERN)
    tile: int = Field(ge=0)
    height: int = Field(ge=1, le=LONGEST_SIDE)
    width: int = Field(ge=1, le=LONGEST_SIDE)
    lease_s: float


class Result(Header):
    """Worker to gateway: a tile's part of each map at the cut, float32 (1, C, h, w), one after the other."""

    kind = Kind.RESULT
    info: FrameInfo
    epoch: int
    owner: str = Field(pattern=NAME_PATTERN)
    worker: str = Field(pattern=NAME_PATTERN)
    tile: int = Field(ge=0)
    shapes: tuple[tuple[int, int, int, int], ...] = Field(max_length=64)
    compute_ms: float


class ProgramRequest(Header):
    """Edge to gateway: send me the program with this hash. Answered by Program or Absent."""

    kind = Kind.PROGRAM_REQUEST
    sha256: str = Field(pattern=SHA256_PATTERN)


class Program(Header):
    """Gateway to edge: the program of a stage."""

    kind = Kind.PROGRAM
    sha256: str = Field(pattern=SHA256_PATTERN)


class PictureRequest(Header):
    """Gateway to owner: send me the picture of this frame. Answered by Picture or Absent."""

    kind = Kind.PICTURE_REQUEST
    frame: str = Field(pattern=FRAME_PATTERN)


class Picture(Header):
    """Owner to gateway: a frame's picture, uint8 BGR (height, width, 3)."""

    kind = Kind.PICTURE
    info: FrameInfo


class Absent(Header):
    """What was asked for is not here."""

    kind = Kind.ABSENT
    reason: str = ""


class Refused(Header):
    """Why the connection is being closed."""

    kind = Kind.REFUSED
    reason: str


HEADERS: dict[Kind, type[Header]] = {
    header.kind: header
    for header in (
        Camera, Frame, Ready, FrameOutcome, Report, Take, Tile, Result,
        ProgramRequest, Program, PictureRequest, Picture, Absent, Refused,
    )
}  # fmt: skip
