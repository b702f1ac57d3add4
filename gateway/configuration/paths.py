"""Paths in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """~ is the home of whom it runs as; what is relative is so to the folder of the configuration file."""
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path.expanduser()


LocalPath = Annotated[Path, AfterValidator(beside_the_file)]
