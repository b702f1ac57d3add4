"""Logins at the gateway's own broker: names and hashed passwords, in the format of Mosquitto's password file.

Only hashes are kept. A password that is made here is returned once, and cannot be read again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import ConfigurationError
from shared.files.whole_file import write_whole
from shared.mqtt.client_ids import EDGE_LOGIN_PREFIX
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GATEWAY_LOGIN = "gateway"
"""The user name of the gateway itself at its own broker. A new password is made at every start."""

PASSWORD_BYTES = 24
"""Random bytes of a generated password: 192 bits, 32 characters."""

MIN_PASSWORD_LENGTH = 12
"""Characters of a password that a person chooses. It must be long, as the broker does not limit failed attempts."""

MAX_PASSWORD_BYTES = 256
"""Bytes of a password that a person chooses. The broker hashes each attempt, and serves nobody else meanwhile."""

MAX_USERS = 50
"""Logins of people and automations: each is checked again whenever one of them changes."""

CHOSEN_ITERATIONS, RANDOM_ITERATIONS = 1000, 101
"""Iterations of PBKDF2 for passwords that a person chose, and for random ones, which cannot be guessed (101 is the
default of mosquitto_passwd). The broker computes them at every attempt, in its only thread: a thousand take some
milliseconds on a Pi."""

READ_ONLY = "read"
"""A third field in the file of logins, behind the hash: the login may only read. Mosquitto's password file has none."""

_SALT_BYTES, _HASH_BYTES = 12, 64
"""The same lengths as those of mosquitto_passwd."""

_HASH = re.compile(r"\$7\$(?P<iterations>\d{1,7})\$(?P<salt>[A-Za-z0-9+/=]{4,100})\$(?P<hash>[A-Za-z0-9+/=]{4,100})")
_USER_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,62}")


class UserLogin(NamedTuple):
    """A login of a person or an automation: the hash of its password, and whether it may do more than read."""

    hashed: str
    may_change: bool = True


def hash_password(password: str, iterations: int = RANDOM_ITERATIONS) -> str:
    """Return a password's hash in the format of Mosquitto's password file: PBKDF2 with SHA-512 and a random salt."""
    return _hashed(password, secrets.token_bytes(_SALT_BYTES), iterations)


def is_password(password: str, hashed: str) -> bool:
    """Return whether a password has this hash, which `hash_password` or mosquitto_passwd made."""
    match = _HASH.fullmatch(hashed)
    if match is None:
        return False
    salt = base64.b64decode(match["salt"])
    return hmac.compare_digest(_hashed(password, salt, int(match["iterations"])), hashed)


def _hashed(password: str, salt: bytes, iterations: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _HASH_BYTES)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def format_passwords(logins: Mapping[str, str]) -> str:
    """Return a password file for names and hashes."""
    return "".join(f"{name}:{hashed}\n" for name, hashed in sorted(logins.items()))


def format_logins(logins: Mapping[str, UserLogin]) -> str:
    """Return the text of a file of logins: a password file with a mark behind logins that may only read."""
    return "".join(
        f"{name}:{login.hashed}{'' if login.may_change else ':' + READ_ONLY}\n"
        for name, login in sorted(logins.items())
    )


def parse_logins(text: str) -> dict[str, UserLogin]:
    """Return the logins of a file; lines of another form are left out."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.strip().partition(":")
        hashed, _, mark = rest.partition(":")
        if name and _HASH.fullmatch(hashed) and mark in {"", READ_ONLY}:
            found[name] = UserLogin(hashed, may_change=not mark)
    return found


def check_user_name(name: str) -> str:
    """Return `name` if it is valid for a login of people and automations; else raise ConfigurationError."""
    if not _USER_NAME.fullmatch(name):
        raise ConfigurationError(
            f"invalid user name {name!r}: write letters, digits, -, _ and ., at most 63, without a . at the beginning"
        )
    if name == GATEWAY_LOGIN or name.startswith(EDGE_LOGIN_PREFIX):
        raise ConfigurationError(
            f"user name {name!r} is one of the cluster's own; choose another, such as homeassistant"
        )
    return name


def check_password(password: str) -> str:
    """Return `password` if it is valid; else raise ConfigurationError, whose message does not contain it."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise ConfigurationError(
            f"the password is too short: it needs {MIN_PASSWORD_LENGTH} characters; without one, a long one is made"
        )
    if len(password.encode()) > MAX_PASSWORD_BYTES or not password.isprintable():
        raise ConfigurationError(
            f"the password has more than {MAX_PASSWORD_BYTES} bytes, or characters that cannot be typed"
        )
    return password


def make_password() -> str:
    """Return a new random password."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


class LoginFile:
    """Logins in a file in the format of Mosquitto's password file, which only the gateway's user can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, UserLogin]:
        """Return the logins by name. Raises ConfigurationError if there is a file that cannot be read."""
        try:
            return parse_logins(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self._path} cannot be read: {system_reason(error)}") from error

    def add(self, name: str, password: str | None = None, *, may_change: bool = True) -> str:
        """Add a login or change its password; return its password. Without `password` a random one is made.

        Raises ConfigurationError for an unsuitable name or password, and when there are MAX_USERS.
        """
        logins = self.read()
        if check_user_name(name) not in logins and len(logins) >= MAX_USERS:
            raise ConfigurationError(f"there are {len(logins)} logins, which is the most; remove one first")
        chosen = make_password() if password is None else check_password(password)
        iterations = RANDOM_ITERATIONS if password is None else CHOSEN_ITERATIONS
        self._write({**logins, name: UserLogin(hash_password(chosen, iterations), may_change)})
        return chosen

    def remove(self, name: str) -> bool:
        """Remove a login; return whether there was one. Raises ConfigurationError."""
        logins = self.read()
        if logins.pop(name, None) is None:
            return False
        self._write(logins)
        return True

    def _write(self, logins: Mapping[str, UserLogin]) -> None:
        try:
            write_whole(self._path, format_logins(logins).encode(), owner=self._owner())
        except OSError as error:
            raise ConfigurationError(f"{self._path} cannot be written: {system_reason(error)}") from error

    def _owner(self) -> tuple[int, int] | None:
        """Return the owner (uid, gid) for a file that root writes: that of its folder, the user who runs the gateway.

        None for other users than root.
        """
        if os.geteuid() != 0 or not self._path.parent.exists():
            return None
        status = self._path.parent.stat()
        return status.st_uid, status.st_gid
