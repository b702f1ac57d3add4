"""Settings of one camera: the part of the configuration file that an edge and its camera agent need."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from camera_sources.frame_rate import MAX_FPS
from shared.errors import ConfigurationError
from shared.settings.durations import Seconds
from shared.settings.polygons import Polygons
from shared.settings.section import Section

TOKEN_VARIABLE = "DEEPTHINGS_AGENT_TOKEN"  # noqa: S105  (its name, not the token)
"""Environment variable with the token by which an edge recognises the agent it started; hidden from other users."""

PartSides = tuple[float, float, float, float]


def parse_picture_part(value: object) -> PartSides:
    """Return left, top, right, bottom, in parts of the picture, from "l,t,r,b" or a list. Raises ValueError."""
    cure = "write left, top, right, bottom in parts of the picture, for example [0, 0.2, 1, 1]"
    try:
        items = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
        left, top, right, bottom = (float(item) for item in items)
    except (TypeError, ValueError) as error:
        raise ValueError(f"must be four numbers; {cure}") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"must enclose a part of the picture; {cure}")
    return left, top, right, bottom


PicturePart = Annotated[PartSides, BeforeValidator(parse_picture_part, json_schema_input_type=str | PartSides)]
"""left, top, right, bottom, in parts of the picture."""


class MotionSettings(Section):
    """Send frames on only while something moves, and one now and then, so that still scenes need no computing."""

    enabled: bool = True
    """Send on only frames with motion."""
    threshold: int = Field(default=30, ge=1, le=255)
    """Smallest change of a pixel's brightness that counts by day, of 255; in the dark it is lowered automatically."""
    contour_area: float = Field(default=0.002, gt=0, le=1)
    """Size of the smallest moving patch that counts, as part of the picture."""
    keep_alive: Seconds = Field(default=30.0, gt=0, le=3600)
    """Seconds after which a frame is sent on although nothing has moved."""
    hold: Seconds = Field(default=5.0, ge=0, le=600)
    """Seconds for which frames are sent on after the last motion."""
    mask: Polygons = ()
    """Areas in which motion is ignored."""


class CameraSettings(Section):
    """One camera: its source, and the pictures to take from it."""

    source: SecretStr
    """rtsp(s)://, http(s)://, /dev/videoN, a file or folder, mqtt://, test://; a password may be in it."""
    kind: Literal["auto", "mjpeg", "snapshot"] = "auto"
    """Kind of an http(s) source; auto decides by the Content-Type of its answer."""
    transport: Literal["auto", "tcp", "udp"] = "auto"
    """Transport of an rtsp(s) source; auto uses UDP only if the camera refuses TCP."""
    fps: float | None = Field(default=None, gt=0, le=MAX_FPS)
    """Maximum of frames a second to send on; default: all. Also the rate at which snapshots are requested."""
    loop: bool = True
    """Restart a file or folder at its end."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise, before the crop."""
    crop: PicturePart | None = None
    """The part of the picture to use."""
    stale_after: Seconds = Field(default=30.0, ge=1, le=86400)
    """Seconds without a picture after which the camera counts as offline; a battery camera needs a long time."""
    motion: MotionSettings = MotionSettings()
    """Skipping of still scenes."""


class AssignedCamera(Section):
    """A camera that is assigned to an edge. `detect` and `fps` are for the start; the edge may change them later."""

    settings: CameraSettings
    detect: bool = True
    """Send its frames on; otherwise only report its availability."""
    fps: float | None = Field(default=None, gt=0, le=MAX_FPS)
    """Replaces the rate of the settings."""

    def encode(self) -> str:
        """Return one line of JSON for the agent. It contains the source's password: never show or log it."""
        values = self.model_dump(mode="json")
        values["settings"]["source"] = self.settings.source.get_secret_value()
        return json.dumps(values)

    @classmethod
    def decode(cls, text: str | bytes) -> Self:
        """Parse the JSON. Raises ConfigurationError, which names the invalid key but not its value."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"]) or "settings"
            raise ConfigurationError(f"settings of a camera: {key}: {first['msg']}") from None
