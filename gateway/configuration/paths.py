"""Paths in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

DEFAULT_CONFIGURATION_FILE = "deepthings.yaml"


def resolve_path(path: Path, info: ValidationInfo) -> Path:
    """Expand ~ to the user's home, and relative paths to the folder of the configuration file."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


LocalPath = Annotated[Path, AfterValidator(resolve_path)]
