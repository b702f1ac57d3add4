"""Collects the files of a gateway for a backup: its configuration, the files named in it, and the state folder."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.backup.manifest import BackupItem, BackupManifest, BackupPlace
from gateway.configuration.named_files import find_named_files
from gateway.configuration.reading import secret_file
from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.configuration.root import Configuration
from shared.errors import ConfigurationError, DeepThingsError
from shared.files.environment_file import read_environment_file
from shared.process.lifecycle import installed_version
from shared.reasons.system_reasons import system_reason
from shared.systemd.unit import ENVIRONMENT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.systemd.unit import Unit

PERMISSION_REMEDY = "run this as the user who runs the gateway, or with sudo"


@dataclass(slots=True)
class BackupContents:
    """The content of a backup: the manifest, and the file of each item.

    `variables` are names of environment variables that the configuration uses and no file contains.
    """

    manifest: BackupManifest
    files: dict[BackupItem, Path]
    variables: tuple[str, ...] = ()


def collect_contents(configuration: Path | None, state: Path | None, service: Unit | None) -> BackupContents:
    """Return the content of a backup for the gateway of this configuration file; None: it runs without one.

    `state` is its state folder, if it is not the one in the configuration. Raises ConfigurationError for an invalid
    configuration, and DeepThingsError for files that cannot be read, or are too many.
    """
    files: dict[BackupItem, Path] = {}
    settings, variables = Configuration(), set[str]()
    if configuration is not None:
        configuration = configuration.absolute()
        parsed = parse_configuration(configuration)
        settings, variables = parsed.require_valid(), parsed.document.variable_names()
        folder = configuration.parent
        _add(files, "configuration", configuration.name, configuration)
        secrets = folder / secret_file.SECRETS_FILE_NAME
        values = {
            secret_file.resolve_file_tag(name, folder) for name in parsed.document.tagged.get(secret_file.FILE_TAG, ())
        }
        for path in [*([secrets] if secrets.is_file() else []), *sorted(values), *find_named_files(settings, folder)]:
            if path.is_relative_to(folder):
                _add(files, "beside", str(path.relative_to(folder)), path)
            else:
                _add(files, "elsewhere", str(path).lstrip("/"), path)
    state_folder = state or settings.state
    for path in _state_files(state_folder):
        _add(files, "state", str(path.relative_to(state_folder)), path)
    if service is not None and ENVIRONMENT_FILE.is_file():
        _add(files, "environment", ENVIRONMENT_FILE.name, ENVIRONMENT_FILE)
        variables -= read_environment_file(ENVIRONMENT_FILE).keys()
    try:
        manifest = BackupManifest(
            release=installed_version(), made_at=time.time(), host=socket.gethostname(),
            service=service.arguments if service else None, items=tuple(files),
        )  # fmt: skip
    except ValidationError as error:
        raise DeepThingsError(f"this gateway is too large for a backup: {error.errors()[0]['msg']}") from error
    return BackupContents(manifest, files, tuple(sorted(variables)))


def _add(files: dict[BackupItem, Path], place: BackupPlace, name: str, path: Path) -> None:
    """Add a file. Raises DeepThingsError when it cannot be read."""
    try:
        status = path.stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except OSError as error:
        raise DeepThingsError(f"{path} cannot be read: {system_reason(error)}; {PERMISSION_REMEDY}") from error
    try:
        item = BackupItem(place=place, path=name, mode=stat.S_IMODE(status.st_mode) & 0o777, size=status.st_size)
    except ValidationError as error:
        raise ConfigurationError(f"{path} cannot be in a backup: {error.errors()[0]['msg']}") from error
    files[item] = path


def _state_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a state folder, except for hidden and unfinished ones."""
    for parent, folders, names in os.walk(folder, onerror=_raise_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            if not name.startswith(".") and path.suffix != ".part" and path.is_file() and not path.is_symlink():
                yield path


def _raise_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise DeepThingsError(
            f"{error.filename} cannot be read: {system_reason(error)}; {PERMISSION_REMEDY}"
        ) from error
