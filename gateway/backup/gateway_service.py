"""The gateway's service on this machine, if there is one: which configuration it has, and where it looks for files."""

from __future__ import annotations

import os
from pathlib import Path

from shared.files.environment_file import read_environment_file
from shared.systemd.accounts import find_account
from shared.systemd.unit import ENVIRONMENT_FILE, Unit


def configuration_of_service(service: Unit | None) -> Path | None:
    """Return the configuration file that a service is started with."""
    words = service.arguments if service else ()
    return Path(words[words.index("--config") + 1]) if "--config" in words else None


def adopt_service_environment(service: Unit) -> None:
    """Have ~, the state folder and variables mean in this process what they do for the service.

    Raises ConfigurationError where its variables cannot be read.
    """
    user = find_account(service.user)
    if user is not None:
        os.environ["HOME"] = str(user.home)
    os.environ.update(service.environment)
    if os.access(ENVIRONMENT_FILE, os.R_OK):
        os.environ.update(read_environment_file(ENVIRONMENT_FILE))


def owner_of_files(service: Unit | None, folder: Path) -> tuple[int, int] | None:
    """Return the user and group to whom root gives restored files; None for anybody else, whose own they are.

    They are the service's, else those of whom the folder belongs to, or the first one above it that there is.
    """
    if os.geteuid() != 0:
        return None
    user = find_account(service.user) if service else None
    if user is not None and user.uid is not None and user.gid is not None:
        return user.uid, user.gid
    there = next(each for each in (folder, *folder.parents) if each.exists())
    status = there.stat()
    return status.st_uid, status.st_gid
