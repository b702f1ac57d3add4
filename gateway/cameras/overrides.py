"""What was set of cameras by MQTT, kept over restarts of the gateway."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from gateway.configuration.names import Label, distinct
from shared.message import Message
from shared.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FILE = "cameras.json"

LONGEST_LABEL = 64
"""Letters; a label becomes a part of topics, and the longest in use have some twenty."""

Labels = Annotated[tuple[Annotated[Label, Field(max_length=LONGEST_LABEL)], ...], AfterValidator(distinct)]


class Overrides(Message):
    """What was set of one camera; None is what the configuration says."""

    enabled: bool | None = None
    detect: bool | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    fps: float | None = Field(default=None, gt=0, le=240)
    labels: Labels | None = Field(default=None, max_length=256)


_ALL = TypeAdapter(dict[str, Overrides])


class OverridesFile:
    """Overrides by camera, written whole at every change."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; a file that cannot be read counts as empty, and that is said."""
        self._path = folder / FILE
        self._cameras: dict[str, Overrides] = {}
        try:
            self._cameras = _ALL.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValidationError) as error:
            log.warning("%s cannot be read, what was set by MQTT is lost: %s", self._path, type(error).__name__)

    def of(self, camera: str) -> Overrides:
        return self._cameras.get(camera, Overrides())

    def set(self, camera: str, overrides: Overrides) -> None:
        """Keep it. What cannot be written is said so, and kept in memory."""
        self._cameras[camera] = overrides
        said = {name: kept.model_dump(exclude_none=True) for name, kept in sorted(self._cameras.items())}
        try:
            write_whole(self._path, json.dumps(said, indent=1).encode())
        except OSError as error:
            log.warning("%s cannot be written, a restart will lose what was set: %s", self._path, error.strerror)
