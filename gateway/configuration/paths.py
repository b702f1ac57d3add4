"""Paths in the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """~ is the home of whom it runs as; what is relative is so to the folder of the configuration file."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


def default_state() -> Path:
    """Return where a gateway keeps what outlives a restart, unless its configuration says where."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "deepthings"


LocalPath = Annotated[Path, AfterValidator(beside_the_file)]
