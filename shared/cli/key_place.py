"""The folder of this device's keys: that of its service, if there is one, else that of the user."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.files.whole_file import write_whole
from shared.security.key_folder import default_key_folder
from shared.security.node_identity import has_identity, make_key_folder
from shared.systemd.accounts import ServiceAccount, find_account
from shared.systemd.units import installed_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.systemd.unit import Unit

SERVICES_WITH_KEYS = ("edge", "camera")
"""Roles of services that read the keys of the device. A gateway has the authority's keys in its own state folder."""


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """A folder of keys, the `owner` that must be able to read it, and the systemd `service` that reads it.

    `owner` is None and `service` is empty for the keys of the user of this process.
    """

    folder: Path
    owner: ServiceAccount | None = None
    service: str = ""

    def prepare(self) -> None:
        """Make the folder, and those above it, for its user. Raises OSError."""
        missing = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700 if path == self.folder else 0o755)
            self._give(path)

    def hand_over(self) -> None:
        """Give the files in the folder to its user. Raises OSError."""
        for path in (self.folder, *self.folder.iterdir()):
            self._give(path)

    def _give(self, path: Path) -> None:
        """Give a path to the user, if this process is root."""
        owner = self.owner
        if owner is not None and owner.uid is not None and owner.gid is not None and os.geteuid() == 0:
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def key_place() -> KeyPlace:
    """Return the place of this device's keys: the service's for root, who joins on its behalf; else this user's."""
    service = next((unit for unit in installed_units() if unit.role in SERVICES_WITH_KEYS), None)
    if service is None or os.geteuid() != 0:
        return KeyPlace(default_key_folder())
    return place_of_service(service)


def place_of_service(unit: Unit) -> KeyPlace:
    """Return the place where a service looks for its identity, by its options, its environment and its user."""
    account = find_account(unit.user) or ServiceAccount(unit.user)
    if "--keys" in unit.arguments[:-1]:
        folder = Path(unit.arguments[unit.arguments.index("--keys") + 1])
    else:
        base = unit.environment.get("XDG_STATE_HOME")
        folder = default_key_folder(Path(base) if base else account.home / ".local" / "state")
    return KeyPlace(folder, account, unit.name)


def take_over_identity(place: KeyPlace, homes: Iterable[Path]) -> Path | None:
    """Move the identity with which a user of this device has joined a cluster to the place of a service.

    Nothing is moved if the service has an identity already. `homes`: the home folders in which that of the user may be.
    Return the folder that it was in; None if nothing was moved. Raises OSError.
    """
    if has_identity(place.folder):
        return None
    for home in homes:
        source = default_key_folder(home / ".local" / "state")
        if source != place.folder and has_identity(source):
            place.prepare()
            make_key_folder(place.folder)
            for path in filter(Path.is_file, source.iterdir()):
                write_whole(place.folder / path.name, path.read_bytes())
            place.hand_over()
            shutil.rmtree(source)
            return source
    return None


def homes_of_caller() -> list[Path]:
    """Return the homes of this user, and of the one who typed sudo."""
    caller = find_account(os.environ.get("SUDO_USER", ""))
    return [Path.home(), *([caller.home] if caller else [])]
