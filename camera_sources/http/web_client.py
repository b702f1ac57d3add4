"""Asking a camera over HTTP: connections, logins, redirections, and why it did not work."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin

from camera_sources.http.authorization import Authorization
from camera_sources.source import OPENING_S, WrongPasswordError
from camera_sources.urls.locator import Locator
from shared.errors import ConfigurationError, SourceError
from shared.reasons.network_reasons import network_reason

if TYPE_CHECKING:
    from types import TracebackType

MAX_REDIRECTIONS = 3
"""From http to https, and from an old path to a new one; more is a loop."""

MAX_ERROR_PAGE_BYTES = 64 * 1024
"""Of a page that is read only to use its connection again."""

_STATUS_REASONS = {403: "this user may not see it", 404: "no such path (404)"}


class WebClient:
    """GET for one URL, again and again, on one connection as long as the server keeps it.

    Used by one thread; another may `abort` it.
    """

    def __init__(self, locator: Locator) -> None:
        self._locator = locator
        self._deadline = 0.0
        self._authorization = Authorization(locator.user, locator.password)
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None
        self.aborted = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._response = self._socket = None

    def abort(self) -> None:
        """End whatever it waits for, from another thread, and for good."""
        self.aborted.set()
        connected = self._socket
        if connected is not None:
            with contextlib.suppress(OSError):  # it has ended already
                socket.socket.shutdown(connected, socket.SHUT_RDWR)  # of TLS, too, without a goodbye to wait for

    def get(self, until: float) -> http.client.HTTPResponse:
        """The answer, 200, to be had and read by `until` (of the monotonic clock) unless that is moved.

        Raises SourceError with a reason.
        """
        self.set_deadline(until)
        answered, redirections = False, 0
        while True:
            response = self._request_with_retry()
            if response.status == http.client.OK:
                return response
            challenges = response.headers.get_all("WWW-Authenticate") or []
            location = response.headers.get("Location")
            status = response.status
            self._finish_response(response)
            if status == http.client.UNAUTHORIZED and not answered:
                answered = True
                if not (self._locator.user or self._locator.password):
                    raise SourceError("it wants a user and a password")
                if not self._authorization.accept_challenge(challenges):
                    raise SourceError("it wants a login of another kind than Basic and Digest")
                continue
            if status == http.client.UNAUTHORIZED:
                raise WrongPasswordError
            if 300 <= status < 400 and location and redirections < MAX_REDIRECTIONS:
                answered, redirections = False, redirections + 1
                self._redirect_to(location)
                continue
            in_words = f"it answers {status} {http.client.responses.get(status, '')}".strip()
            raise SourceError(_STATUS_REASONS.get(status, in_words))

    def set_deadline(self, until: float) -> None:
        """Waiting for bytes ends then."""
        self._deadline = until
        if self._socket is not None:
            self._socket.settimeout(self._left_s())

    def _left_s(self) -> float:
        return max(0.01, self._deadline - time.monotonic())

    def _request_with_retry(self) -> http.client.HTTPResponse:
        """One request. A kept connection that the server has closed meanwhile, or left in disorder, is replaced."""
        kept = self._connection is not None
        try:
            return self._request()
        except SourceError:
            raise
        except TimeoutError:
            self.close()
            raise SourceError("it does not answer") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if not kept:
                raise SourceError(_no_answer_reason(error)) from None
        return self._request_with_retry()

    def _request(self) -> http.client.HTTPResponse:
        connection = self._connect()
        headers = {"User-Agent": "deepthings", "Accept": "multipart/x-mixed-replace, image/*;q=0.9, */*;q=0.1"}
        if "%" in self._locator.host:  # the zone of an IPv6 address means nothing to others (RFC 6874, section 4)
            headers["Host"] = re.sub(r"%[^\]]*", "", self._locator.authority)
        answer = self._authorization.header_for("GET", self._locator.target)
        if answer is not None:
            headers["Authorization"] = answer
        connection.request("GET", self._locator.target, headers=headers)
        self._response = connection.getresponse()
        return self._response

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is not None and self._connection.sock is not None:
            return self._connection
        where, port, timeout_s = self._locator.host, self._locator.port, min(OPENING_S, self._left_s())
        if self._locator.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                where, port, timeout=timeout_s, context=unverified_tls_context()
            )
        else:
            connection = http.client.HTTPConnection(where, port, timeout=timeout_s)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise SourceError(unreachable_reason(error)) from None
        assert isinstance(connection.sock, socket.socket)
        self._connection, self._socket = connection, connection.sock
        if self.aborted.is_set():
            raise SourceError("it was told to end")
        self.set_deadline(self._deadline)
        return connection

    def _finish_response(self, response: http.client.HTTPResponse) -> None:
        """Make the connection ready for the next request, or close it: a long page of an error is not worth reading."""
        length = response.length
        if length is None or length > MAX_ERROR_PAGE_BYTES or response.will_close:
            self.close()
            return
        try:
            response.read()
        except (OSError, http.client.HTTPException):
            self.close()

    def _redirect_to(self, location: str) -> None:
        """The same camera elsewhere; the password goes to the same host only."""
        self.close()
        try:
            there = Locator.parse(urljoin(self._locator.plain, location))
        except ConfigurationError:
            raise SourceError("it sends us on to no valid address") from None
        if there.scheme not in {"http", "https"}:
            raise SourceError(f"it sends us on to {there.scheme}://, which is not HTTP")
        same = there.host == self._locator.host
        self._locator = Locator(
            scheme=there.scheme, host=there.host, port=there.port, target=there.target,
            user=self._locator.user if same else "", password=self._locator.password if same else "",
        )  # fmt: skip
        self._authorization = Authorization(self._locator.user, self._locator.password)


def _no_answer_reason(error: OSError | http.client.HTTPException | ValueError) -> str:
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return "not reachable: it closes the connection"
    return unreachable_reason(error) if isinstance(error, OSError) else "it does not speak HTTP"


def unverified_tls_context() -> ssl.SSLContext:
    """TLS that hides, but does not prove who the camera is: cameras sign their own certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unreachable_reason(error: OSError) -> str:
    """Return it in words: without the address, which the reader knows and which may hold a password."""
    return f"not reachable: {network_reason(error)}"
