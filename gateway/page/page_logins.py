"""Identifies the users of the page by the logins of `deepthings user add`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.broker.logins import CHOSEN_ITERATIONS, MAX_PASSWORD_BYTES, UserLogin, hash_password, is_password
from gateway.page.login_tries import LoginTries
from shared.errors import DeepThingsError

if TYPE_CHECKING:
    from gateway.broker.logins import LoginFile
    from gateway.page.page_sessions import PageSessions, Session
    from gateway.page.trusted_proxy import Headers, TrustedProxy

SESSION_COOKIE = "deepthings-session"


class LoginRefusedError(DeepThingsError):
    """Somebody may not use the page, or must wait before another try. `status` is that of the HTTP response."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class PageUser:
    """An identified user of the page, with the login that is valid at the moment."""

    name: str
    login: UserLogin
    session: Session | None = None
    """The session of a browser that has logged in; None for a password, a token or a proxy, which cannot log out."""


class PageLogins:
    """Identifies people and programs by a cookie, a password, a token, or a header of a reverse proxy."""

    def __init__(self, users: LoginFile, sessions: PageSessions, proxy: TrustedProxy | None = None) -> None:
        self._users = users
        self._sessions = sessions
        self._tries = LoginTries()
        self._nobody = UserLogin(hash_password("", CHOSEN_ITERATIONS))
        self.proxy = proxy

    async def identify(self, host: str, headers: Headers) -> PageUser | None:
        """Return the user of a request from `host`; None if it has no valid login.

        Raises LoginRefusedError for a wrong password or an unknown user of the proxy, ConfigurationError if the logins
        cannot be read.
        """
        if self.proxy is not None and (name := self.proxy.user_in(host, headers)):
            return self._named_by_proxy(name)
        if headers.get(b"authorization", b"")[:6].lower() == b"basic ":
            name, password = _basic(headers[b"authorization"])
            return PageUser(name, await self._check(name, password, self.client_of(host, headers)))
        return self._by_cookie(headers.get(b"cookie", b""))

    async def log_in(self, name: str, password: str, client: str) -> str:
        """Return a cookie for a right name and password. Raises LoginRefusedError, ConfigurationError."""
        return self._sessions.begin(name, await self._check(name, password, client), time.time())

    def log_out(self, user: PageUser) -> None:
        """End the session of a browser. Raises ConfigurationError."""
        if user.session is not None:
            self._sessions.end(user.session, time.time())

    def picture_token(self, user: PageUser, camera: str) -> str:
        """Return the token with which a program can show the pictures of one camera."""
        return self._sessions.picture_token(user.name, user.login, camera)

    def by_picture_token(self, token: str, camera: str) -> PageUser | None:
        """Return the user of a valid token for this camera; None for another token. Raises ConfigurationError."""
        name = token.rpartition(".")[0]
        login = self._users.read().get(name)
        if login is None or not self._sessions.is_picture_token(token, name, login, camera):
            return None
        return PageUser(name, login)

    def is_valid(self, user: PageUser) -> bool:
        """Return whether the user of an earlier request may still use the page: login and session are unchanged."""
        if self._users.read().get(user.name) != user.login:
            return False
        return user.session is None or self._sessions.is_open(user.session, time.time())

    def client_of(self, host: str, headers: Headers) -> str:
        """Return the address of the client that sent a request, also if it came through the proxy."""
        return host if self.proxy is None else self.proxy.client_of(host, headers)

    def _by_cookie(self, header: bytes) -> PageUser | None:
        session = self._sessions.read(_session_cookie(header), time.time())
        login = None if session is None else self._users.read().get(session.user)
        if session is None or login is None or not self._sessions.belongs_to(session, login):
            return None
        return PageUser(session.user, login, session)

    def _named_by_proxy(self, name: str) -> PageUser:
        login = self._users.read().get(name)
        if login is None:
            raise LoginRefusedError(
                f"the reverse proxy says that you are {name[:64]!r}, whom the gateway does not know: run 'deepthings "
                "user add' with this name on the gateway; with --read-only, to look and change nothing", 403,
            )  # fmt: skip
        return PageUser(name, login)

    async def _check(self, name: str, password: str, client: str) -> UserLogin:
        now = time.monotonic()
        if wait_s := self._tries.wait_s(client, now):
            raise LoginRefusedError(f"too many wrong passwords from here; try again in {math.ceil(wait_s)} s", 429)
        self._tries.begin(client, now)
        login = self._users.read().get(name)
        usual = len(password) <= MAX_PASSWORD_BYTES and password.isprintable()
        right = usual and await asyncio.to_thread(is_password, password, (login or self._nobody).hashed)
        if login is None or not right:
            raise LoginRefusedError("wrong name or password; 'deepthings user add NAME' on the gateway makes a new one")
        self._tries.take_back(client, time.monotonic())
        return login


def _session_cookie(header: bytes) -> str:
    """Return the value of the session cookie, empty if there is none.

    The header is split by hand, because other programs of the machine may have set cookies that parsers refuse.
    """
    pairs = [part.strip().partition("=") for part in header.decode("latin-1").split(";")]
    return next((value for name, _, value in pairs if name == SESSION_COOKIE), "")


def _basic(header: bytes) -> tuple[str, str]:
    """Return name and password of a header Authorization. Raises LoginRefusedError."""
    try:
        name, found, password = base64.b64decode(header[6:].strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        found = ""
    if not found:
        raise LoginRefusedError("the header Authorization must have the name and the password of a login (Basic)")
    return name, password
