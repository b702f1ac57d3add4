"""The place of this device's identity: that of its service, if there is one, else that of the user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.security.key_folder import default_key_folder
from shared.systemd.accounts import ServiceAccount, find_account
from shared.systemd.units import installed_units

if TYPE_CHECKING:
    from shared.systemd.unit import Unit

SERVICES_WITH_KEYS = ("edge", "camera")


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """A folder of keys, the user that must be able to read it, and the unit that does; None and "" for this user."""

    folder: Path
    owner: ServiceAccount | None = None
    service: str = ""

    def hand_over(self) -> None:
        """Give the folder to its user, if this process is root and that one is not. Raises OSError."""
        owner = self.owner
        if owner is None or owner.uid is None or owner.gid is None or os.geteuid() != 0:
            return
        for path in (self.folder.parent, self.folder, *self.folder.iterdir()):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def key_place() -> KeyPlace:
    """Return the place of the service on this device, if this is root, who joins for it; else that of the user."""
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
