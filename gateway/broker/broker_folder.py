"""The folder with the files of the gateway's own Mosquitto: its configuration, logins, rules and certificate.

If root runs the gateway, Mosquitto runs as a user of its own. This user owns these files and cannot read other files of
the gateway, such as the authority's key.
"""

from __future__ import annotations

import os
import pwd
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from shared.files.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gateway.broker.broker_listeners import BrokerListener

MOSQUITTO_USERS = ("mosquitto", "nobody")
"""The user that Mosquitto changes to when root starts it, and the one that it uses if the first does not exist."""

CONFIGURATION = "mosquitto.conf"


class BrokerFolder:
    """Writes the files of Mosquitto, so that only its user and root can read them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._account = _account_of_mosquitto()
        self._written: dict[str, bytes] = {}
        if self._account is not None:  # only the group changes: as the owner, a later start can remove the folder
            os.chown(path, -1, self._account.pw_gid)
        path.chmod(0o750 if self._account is not None else 0o700)

    @property
    def user(self) -> str | None:
        """Return the user as which Mosquitto must be started; None for the gateway's user."""
        return None if self._account is None else self._account.pw_name

    @property
    def configuration(self) -> Path:
        """Return the path of Mosquitto's configuration."""
        return self._path / CONFIGURATION

    @property
    def memory_limit(self) -> int:
        """Return the bytes that the configuration lets Mosquitto use for messages."""
        lines = self.configuration.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("memory_limit "))

    def write_configuration(self, listeners: Sequence[BrokerListener]) -> None:
        """Write the configuration from its template."""
        template = files("mosquitto").joinpath(CONFIGURATION).read_text()
        sections = "\n\n".join(listener.section(self._path) for listener in listeners)
        self._write(CONFIGURATION, Template(template).substitute(listeners=sections).encode())

    def write_files(self, content: Mapping[str, bytes]) -> bool:
        """Write files by name; return whether any of them has changed."""
        changed = {name: data for name, data in content.items() if self._written.get(name) != data}
        for name, data in changed.items():
            self._write(name, data)
            self._written[name] = data
        return bool(changed)

    def _write(self, name: str, data: bytes) -> None:
        owner = None if self._account is None else (self._account.pw_uid, self._account.pw_gid)
        write_whole(self._path / name, data, durable=False, owner=owner)


def _account_of_mosquitto() -> pwd.struct_passwd | None:
    """Return the account that Mosquitto uses if root runs the gateway; None for the gateway's own."""
    if os.geteuid() != 0:
        return None
    for name in MOSQUITTO_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
