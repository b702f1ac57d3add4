"""Makes and checks the session cookies of people at the page, and tokens for pictures.

Both are signed, so that only a key and the ended sessions are kept in a file. A cookie belongs to a password: it is
invalid when the password is changed, or the login is removed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import ConfigurationError
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.broker.logins import UserLogin

SESSION_LIFE_S = 7 * 24 * 3600
"""A cookie is valid for a week; then its user must log in again."""

MAX_ENDED_SESSIONS = 500
"""Sessions that are remembered because they were logged out before their end; only logged-in users can add some."""

MAX_COOKIE_LENGTH = 1000

_KEY_BYTES = 32


class Session(NamedTuple):
    """The content of a cookie.

    `until` is its end, in seconds since 1970; `password_mark` is derived from the password.
    """

    user: str
    identity: str
    until: float
    password_mark: str


class PageSessions:
    """Makes and checks cookies and tokens with a key that only the gateway's user can read."""

    def __init__(self, path: Path) -> None:
        """Read the key; make it when it is missing. Raises ConfigurationError."""
        self._path = path
        self._key, self._ended = self._open()

    def begin(self, user: str, login: UserLogin, now: float) -> str:
        """Return a new cookie for a user whose password was right."""
        session = Session(user, secrets.token_urlsafe(12), round(now + SESSION_LIFE_S), self._mark(login))
        content = base64.urlsafe_b64encode(json.dumps(session).encode()).rstrip(b"=").decode()
        return f"{content}.{self._sign('session', content)}"

    def read(self, cookie: str, now: float) -> Session | None:
        """Return the session of a cookie; None if its signature is wrong, it has ended, or it was logged out."""
        content, _, signature = cookie.partition(".")
        if len(cookie) > MAX_COOKIE_LENGTH or not _same(signature, self._sign("session", content)):
            return None
        session = Session(*json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4))))
        lasts = session.until <= now + SESSION_LIFE_S + 1  # not, if the clock was wrong when the session began
        return session if lasts and self.is_open(session, now) else None

    def is_open(self, session: Session, now: float) -> bool:
        """Return whether a session that was read before has not ended since."""
        return now < session.until and session.identity not in self._ended

    def belongs_to(self, session: Session, login: UserLogin) -> bool:
        """Return whether the session was begun with the password that the login has now."""
        return _same(session.password_mark, self._mark(login))

    def end(self, session: Session, now: float) -> None:
        """Make the cookie of a session invalid from now on. Raises ConfigurationError if the file cannot be written."""
        self._ended[session.identity] = session.until
        kept = sorted((until, identity) for identity, until in self._ended.items() if until > now)
        self._ended = {identity: until for until, identity in kept[-MAX_ENDED_SESSIONS:]}
        self._write()

    def picture_token(self, user: str, login: UserLogin, camera: str) -> str:
        """Return a token that lets a program see only one camera, as long as the login has this password."""
        return f"{user}.{self._sign('pictures', self._mark(login), camera, user)}"

    def is_picture_token(self, token: str, user: str, login: UserLogin, camera: str) -> bool:
        """Return whether a token is the token of this user for this camera."""
        return _same(token, self.picture_token(user, login, camera))

    def _mark(self, login: UserLogin) -> str:
        return self._sign("password", login.hashed)[:16]

    def _sign(self, *parts: str) -> str:
        text = json.dumps(parts).encode()  # so that no two lists of parts are the same text
        return base64.urlsafe_b64encode(hmac.digest(self._key, text, hashlib.sha256)).rstrip(b"=").decode()

    def _open(self) -> tuple[bytes, dict[str, float]]:
        try:
            content = json.loads(self._path.read_bytes())
            key = bytes.fromhex(content["key"])
            ended = {str(name): float(until) for name, until in content["ended"].items()}
        except FileNotFoundError:
            self._key, self._ended = secrets.token_bytes(_KEY_BYTES), {}
            self._write()
            return self._key, self._ended
        except OSError as error:
            raise ConfigurationError(f"{self._path} cannot be read: {system_reason(error)}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{self._path} is damaged: remove it, and all log in at the page again") from error
        if len(key) != _KEY_BYTES:
            raise ConfigurationError(f"{self._path} is damaged: remove it, and all log in at the page again")
        return key, ended

    def _write(self) -> None:
        try:
            write_whole(self._path, json.dumps({"key": self._key.hex(), "ended": self._ended}).encode())
        except OSError as error:
            raise ConfigurationError(f"{self._path} cannot be written: {system_reason(error)}") from error


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
