"""The manifest of a backup: its files, each with its place. Only listed files are restored. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MANIFEST_NAME = "manifest.json"

BACKUP_FORMAT: Literal[1] = 1
"""Increase it when the format changes."""

MAX_MANIFEST_BYTES = 4 << 20

MAX_FILES = 5000
"""A gateway with a hundred cameras has about ten files."""

MAX_BACKUP_BYTES = 512 << 20
"""Bytes of all files together; models are most of it, and large ones have about 250 MB."""

BackupPlace = Literal["configuration", "beside", "state", "environment", "elsewhere"]
"""The place of a file: it is the configuration file, or in the folder of that ("beside"), in the state folder, the file
with the environment of the service, or anywhere else."""


def check_member_path(path: str) -> str:
    """Return `path` if it is relative and stays in its folder; else raise ValueError."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or str(PurePosixPath(path)) != path:
        raise ValueError("invalid path: it must stay in its folder")
    return path


class BackupItem(BaseModel):
    """One file of a backup. `path` is relative to the folder of its place; for `elsewhere`, to /."""

    model_config = ConfigDict(frozen=True)

    place: BackupPlace
    path: Annotated[str, Field(max_length=4096), AfterValidator(check_member_path)]
    mode: int = Field(ge=0, le=0o777)
    size: int = Field(ge=0, le=MAX_BACKUP_BYTES)

    @property
    def member(self) -> str:
        """Return the name of the file in the archive."""
        return f"{self.place}/{self.path}"


class BackupManifest(BaseModel):
    """The manifest of a gateway's backup. `service` are the arguments of its service, if there was one."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = BACKUP_FORMAT
    release: str = Field(max_length=100)
    made_at: float
    host: str = Field(max_length=300)
    service: tuple[str, ...] | None = None
    items: tuple[BackupItem, ...] = Field(max_length=MAX_FILES)

    @model_validator(mode="after")
    def _plausible(self) -> BackupManifest:
        members = {item.member for item in self.items}
        if len(members) != len(self.items):
            raise ValueError("a file is listed twice")
        if sum(item.size for item in self.items) > MAX_BACKUP_BYTES:
            raise ValueError(f"its files have more than {MAX_BACKUP_BYTES >> 20} MiB")
        for place in ("configuration", "environment"):
            single = [item for item in self.items if item.place == place]
            if len(single) > 1 or any("/" in item.path for item in single):
                raise ValueError(f"it must have one file as {place}")
        return self

    @property
    def configuration(self) -> BackupItem | None:
        """Return the configuration file's item."""
        return next((item for item in self.items if item.place == "configuration"), None)
