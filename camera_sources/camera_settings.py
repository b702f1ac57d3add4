"""What a camera agent is told of its camera: the part of the configuration file that an edge needs."""

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
"""Of the environment: what an agent presents itself with to the edge that started it; no other user sees it there."""

PartSides = tuple[float, float, float, float]


def parse_picture_part(value: object) -> PartSides:
    """left, top, right, bottom of a part of the picture, from "l,t,r,b" or a list. Raises ValueError."""
    right = "write left, top, right, bottom in parts of the picture, for example [0, 0.2, 1, 1]"
    try:
        items = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
        left, top, to_right, bottom = (float(item) for item in items)
    except (TypeError, ValueError) as error:
        raise ValueError(f"these are not four numbers; {right}") from error
    if not (0 <= left < to_right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"these enclose no part of the picture; {right}")
    return left, top, to_right, bottom


PicturePart = Annotated[PartSides, BeforeValidator(parse_picture_part, json_schema_input_type=str | PartSides)]
"""left, top, right, bottom, in parts of the picture."""


class MotionSettings(Section):
    """Still scenes cost nothing: frames are sent on when something has moved, and now and then all the same."""

    enabled: bool = True
    """Whether only frames with motion are sent on."""
    threshold: int = Field(default=30, ge=1, le=255)
    """How much a pixel's brightness must change by day, of 255; in the dark it is less by itself."""
    contour_area: float = Field(default=0.002, gt=0, le=1)
    """How large a moving patch must be, as part of the picture."""
    keep_alive: Seconds = Field(default=30.0, gt=0, le=3600)
    """Seconds after which a frame is sent on though nothing has moved."""
    hold: Seconds = Field(default=5.0, ge=0, le=600)
    """Seconds for which frames are sent on after the last motion."""
    mask: Polygons = ()
    """Where motion counts for nothing."""


class CameraSettings(Section):
    """One camera: where its pictures come from, and how they are taken."""

    source: SecretStr
    """rtsp(s)://, http(s)://, /dev/videoN, a file or folder, mqtt://, test://; a password may be in it."""
    kind: Literal["auto", "mjpeg", "snapshot"] = "auto"
    """What an http(s) source is; auto looks at what it answers."""
    transport: Literal["auto", "tcp", "udp"] = "auto"
    """How an rtsp(s) source sends its pictures; auto takes UDP only from a camera that refuses TCP."""
    fps: float | None = Field(default=None, gt=0, le=MAX_FPS)
    """Frames a second that are sent on at the most; else as many as there are. Snapshots are asked for so often."""
    loop: bool = True
    """Begin a file or folder again at its end."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise, before the crop."""
    crop: PicturePart | None = None
    """What of the picture is used."""
    stale_after: Seconds = Field(default=30.0, ge=1, le=86400)
    """Seconds without a picture after which the camera counts as lost; a battery camera is quiet for long."""
    motion: MotionSettings = MotionSettings()
    """Whether still scenes are passed over."""


class AssignedCamera(Section):
    """A camera that an edge is to look after; `detect` and `fps` may change while it runs."""

    settings: CameraSettings
    detect: bool = True
    """Whether its frames are sent on; else only its availability is told."""
    fps: float | None = Field(default=None, gt=0, le=MAX_FPS)
    """In the place of the settings' own."""

    def encode(self) -> str:
        """One line of JSON, with the password that may be in the source: for the agent, and nobody's eyes."""
        told = self.model_dump(mode="json")
        told["settings"]["source"] = self.settings.source.get_secret_value()
        return json.dumps(told)

    @classmethod
    def decode(cls, text: str | bytes) -> Self:
        """Raises ConfigurationError that names what is wrong, without its value."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "settings"
            raise ConfigurationError(f"settings of a camera: {where}: {first['msg']}") from None
