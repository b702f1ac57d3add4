"""Finds the configuration, the environment and the owner of files of the gateway's service on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from shared.files.environment_file import read_environment_file
from shared.systemd.accounts import find_account
from shared.systemd.unit import ENVIRONMENT_FILE, Unit


def configuration_of_service(service: Unit | None) -> Path | None:
    """Return the configuration file of a service; None without one."""
    arguments = service.arguments if service else ()
    return Path(arguments[arguments.index("--config") + 1]) if "--config" in arguments else None


def adopt_service_environment(service: Unit) -> None:
    """Set the home folder and the environment variables of this process to those of the service.

    Raises ConfigurationError when its variables cannot be read.
    """
    user = find_account(service.user)
    if user is not None:
        os.environ["HOME"] = str(user.home)
    os.environ.update(service.environment)
    if os.access(ENVIRONMENT_FILE, os.R_OK):
        os.environ.update(read_environment_file(ENVIRONMENT_FILE))


def owner_of_files(service: Unit | None, folder: Path) -> tuple[int, int] | None:
    """Return the user and group of files that root writes; None for other users, who own what they write.

    These are the user and group of the service; without a service, those of `folder`, or of the nearest existing folder
    above it.
    """
    if os.geteuid() != 0:
        return None
    user = find_account(service.user) if service else None
    if user is not None and user.uid is not None and user.gid is not None:
        return user.uid, user.gid
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    status = existing.stat()
    return status.st_uid, status.st_gid
