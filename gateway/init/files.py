"""Checks and writes the files of `deepthings init`: configuration and secrets, both or neither."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sysconfig
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.backup.gateway_service import owner_of_files
from gateway.configuration.reading.secret_file import SECRETS_FILE_NAME, SecretFile, read_bounded
from gateway.init.documents import SCHEMA_FILE_NAME, append_secrets
from gateway.init.next_steps import ThisDevice
from shared.errors import ConfigurationError
from shared.files.whole_file import write_whole
from shared.network.addresses import network_address
from shared.process.installation import find_clone, program_here
from shared.systemd.units import installed_gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.init.documents import Documents

CONFIGURATION_ENDINGS = (".yaml", ".yml")

PATH_OF_ROOT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH that sudo uses on Debian."""


def require_writable(file: Path, *, replaces: bool) -> None:
    """Raise ConfigurationError for a file that cannot be a configuration, or must not be written."""
    if file.suffix not in CONFIGURATION_ENDINGS or file.name == SECRETS_FILE_NAME or not str(file).isprintable():
        raise ConfigurationError(f"{file}: invalid name of a configuration; end it in .yaml, for example home.yaml")
    if file.is_dir():
        raise ConfigurationError(f"{file} is a folder; write the name of a file")
    if os.path.lexists(file) and not replaces:
        raise ConfigurationError(
            f"{file} already exists; write another name, for example {free_name(file)}, or --force to replace it"
        )
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{file}: folder {folder} is not writable; write another path")


def free_name(file: Path) -> Path:
    """Return a path with a number behind its name, which does not exist yet."""
    names = (file.with_stem(f"{file.stem}-{number}") for number in count(2))
    return next(name for name in names if not os.path.lexists(name))


def secrets_beside(file: Path) -> Mapping[str, str]:
    """Return the existing secrets beside a configuration. Raises ConfigurationError for unreadable ones."""
    secrets = SecretFile(file.parent)
    values = secrets.values
    if secrets.mistakes:
        raise ConfigurationError("\n".join(map(str, secrets.mistakes)))
    return values


def write_documents(file: Path, documents: Documents) -> list[Path]:
    """Write the configuration, and add new secrets beside it: both or neither. Return the paths of written files.

    Raises ConfigurationError and OSError.
    """
    owner = owner_of_files(installed_gateway(), file.absolute().parent)
    secrets = file.parent / SECRETS_FILE_NAME
    before = read_bounded(secrets) if secrets.exists() else None
    if not documents.secrets:
        write_whole(file, documents.configuration.encode(), mode=0o644, owner=owner)
        return [file]
    try:
        content = append_secrets((before or b"").decode("utf-8-sig"), documents.secrets)
        write_whole(secrets, content.encode(), owner=owner)
        _require_names(file, documents.secrets)
        write_whole(file, documents.configuration.encode(), mode=0o644, owner=owner)
    except BaseException:
        if before is None:
            secrets.unlink(missing_ok=True)
        else:
            write_whole(secrets, before, owner=owner)
        raise
    return [file, secrets]


def _require_names(file: Path, wanted: Mapping[str, str]) -> None:
    """Raise ConfigurationError when the added secrets cannot be read back, as in a file that is one mapping in { }."""
    secrets = SecretFile(file.parent)
    if not wanted.items() <= secrets.values.items() or secrets.mistakes:
        raise ConfigurationError(f"{secrets.path}: nothing can be added at its end; write each secret as name: value")


def local_schema_path() -> Path | None:
    """Return the path of the configuration's JSON Schema on this machine; None without it."""
    repository = find_clone()
    path = repository / "docs" / SCHEMA_FILE_NAME if repository else None
    return path if path is not None and path.exists() and str(path).isprintable() else None


def this_device() -> ThisDevice:
    """Return this device's address and the commands for it.

    A command has the full path if the console script is not on the PATH; for example, it is not on that of sudo after
    an installation in a home folder.
    """
    path = shlex.quote(str(Path(sysconfig.get_path("scripts")) / "deepthings"))
    return ThisDevice(
        address=network_address() or socket.gethostname(),
        program="deepthings" if shutil.which("deepthings") else path,
        program_of_root="deepthings" if shutil.which("deepthings", path=PATH_OF_ROOT) else path,
        program_elsewhere=program_here(),
    )
