"""The user of a service: our own system user, or the owner of an installation that only the owner can read."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import shared
from shared.errors import ConfigurationError, DeepThingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICE_USER = "deepthings"
"""The user that the first installation of a service creates."""

SERVICE_HOME = Path("/var/lib/deepthings")

DEVICE_GROUPS = ("video", "render")
"""The groups of users that may use cameras and graphics processors."""

READ, ENTER = 4, 1
"""Permission bits of a file and of a folder."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A user of this machine, or one that does not exist yet and can only read files that everybody can read."""

    name: str
    uid: int | None = None
    gid: int | None = None
    groups: frozenset[int] = frozenset()
    home: Path = SERVICE_HOME

    @property
    def is_ours(self) -> bool:
        """Return whether it is our own system user, whose home is the state folder."""
        return self.name == SERVICE_USER

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its state and cache folders."""
        return {"XDG_STATE_HOME": "/var/lib", "XDG_CACHE_HOME": "/var/cache/deepthings"} if self.is_ours else {}


def find_account(name: str) -> ServiceAccount | None:
    """Return the user with this name; None if it does not exist."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = frozenset(os.getgrouplist(name, entry.pw_gid))
    return ServiceAccount(name, entry.pw_uid, entry.pw_gid, groups, Path(entry.pw_dir))


def device_groups() -> tuple[str, ...]:
    """Return those of DEVICE_GROUPS that exist on this machine."""
    known = {group.gr_name for group in grp.getgrall()}
    return tuple(name for name in DEVICE_GROUPS if name in known)


def choose_account(executable: Path, wanted: str | None = None) -> ServiceAccount:
    """Return the user that can run the program: `wanted`, else our own user, else the owner of the installation.

    Raises ConfigurationError if none of them can read it.
    """
    files = program_files(executable)
    if wanted is not None:
        chosen = find_account(wanted)
        if chosen is None:
            raise ConfigurationError(f"--user {wanted}: no such user on this machine")
        if (closed := first_barrier(files, chosen)) is not None:
            raise ConfigurationError(f"--user {wanted}: user {wanted} cannot read {closed}; name another user")
        return chosen
    ours = find_account(SERVICE_USER) or ServiceAccount(SERVICE_USER)
    closed = first_barrier(files, ours)
    if closed is None:
        return ours
    owner = _owner(executable)
    if owner is not None and owner.uid != 0 and first_barrier(files, owner) is None:
        return owner
    raise ConfigurationError(
        f"{executable}: a service must not run as root, and no other user can read {closed}; install DeepThings in"
        " /opt/deepthings or in the home of a user, or name a user that can read it with --user"
    )


def program_files(executable: Path) -> list[Path]:
    """Return one file from each folder that the program needs at its start."""
    return [executable, Path(sys.executable), Path(sys.executable).resolve(), Path(os.__file__), Path(shared.__file__)]


def first_barrier(files: Iterable[Path], user: ServiceAccount) -> Path | None:
    """Return the first file, or parent folder of one, that `user` has no permission to read; None if there is none.

    Only the permissions of owner, group and others count; missing files are ignored.
    """
    for file in files:
        path = Path(os.path.abspath(file))  # noqa: PTH100  (keeps links: the folders of links count)
        for part in [*reversed(path.parents), path]:
            try:
                status = part.stat()
            except OSError:
                continue
            wanted = ENTER if stat.S_ISDIR(status.st_mode) else READ
            if not _allows(status, user, wanted):
                return part
    return None


def _allows(status: os.stat_result, user: ServiceAccount, wanted: int) -> bool:
    if user.uid == 0:
        return True
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid in user.groups else 0
    return bool(status.st_mode >> shift & wanted)


def _owner(path: Path) -> ServiceAccount | None:
    try:
        return find_account(pwd.getpwuid(path.stat().st_uid).pw_name)
    except (KeyError, OSError):
        return None


def make_account() -> ServiceAccount:
    """Return our own user; create it and its folder if it does not exist. Raises DeepThingsError, OSError."""
    if (known := find_account(SERVICE_USER)) is not None:
        return known
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise DeepThingsError(
            f"useradd not found: create a system user {SERVICE_USER!r} with the home {SERVICE_HOME}, then try again"
        )
    done = subprocess.run(
        [useradd, "--system", "--user-group", "--home-dir", str(SERVICE_HOME), "--no-create-home",
         "--shell", "/usr/sbin/nologin", SERVICE_USER],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    made = find_account(SERVICE_USER)
    if done.returncode or made is None or made.uid is None or made.gid is None:
        raise DeepThingsError(f"the user {SERVICE_USER!r} cannot be created: {done.stderr.strip()}")
    SERVICE_HOME.mkdir(mode=0o750, exist_ok=True)
    os.chown(SERVICE_HOME, made.uid, made.gid)
    return made
