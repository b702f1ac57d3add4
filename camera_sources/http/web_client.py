"""An HTTP client for cameras: connections, logins, redirections, and reasons for failures."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from urllib.parse import urljoin

from camera_sources.http.authorization import Authorization
from camera_sources.source import OPENING_S, WrongPasswordError
from camera_sources.urls.locator import Locator
from shared.errors import ConfigurationError, SourceError
from shared.reasons.network_reasons import network_reason

MAX_REDIRECTIONS = 3
"""Redirections that are followed: from http to https, and from an old path to a new one; more would be a loop."""

MAX_ERROR_PAGE_BYTES = 64 * 1024
"""Bytes of an error page that is read so that its connection can be reused."""

_STATUS_REASONS = {403: "this user has no permission to see it", 404: "no such path (404)"}


class WebClient:
    """Gets one URL repeatedly, on one connection as long as the server keeps it open.

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

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._response = self._socket = None

    def abort(self) -> None:
        """End all waiting now and in the future. Callable from another thread."""
        self.aborted.set()
        connected = self._socket
        if connected is not None:
            with contextlib.suppress(OSError):  # already closed
                # The plain socket's shutdown is used, also for TLS: SSLSocket's would wait for the other side.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def get(self, until: float) -> http.client.HTTPResponse:
        """Return a response with status 200, which must be received and read by `until` (monotonic seconds).

        `set_deadline` changes this time. Raises SourceError with the reason of a failure.
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
                    raise SourceError("it requires a user and a password")
                if not self._authorization.accept_challenge(challenges):
                    raise SourceError("it requires a login method other than Basic and Digest")
                continue
            if status == http.client.UNAUTHORIZED:
                raise WrongPasswordError
            if 300 <= status < 400 and location and redirections < MAX_REDIRECTIONS:
                answered, redirections = False, redirections + 1
                self._redirect_to(location)
                continue
            text = f"it answers {status} {http.client.responses.get(status, '')}".strip()
            raise SourceError(_STATUS_REASONS.get(status, text))

    def set_deadline(self, until: float) -> None:
        """Set the time (monotonic seconds) at which waiting for bytes ends."""
        self._deadline = until
        if self._socket is not None:
            self._socket.settimeout(self._left_s())

    def _left_s(self) -> float:
        return max(0.01, self._deadline - time.monotonic())

    def _request_with_retry(self) -> http.client.HTTPResponse:
        """Send one request and return the response; if a kept connection fails, try once more on a new one."""
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
        if "%" in self._locator.host:  # an IPv6 zone is only valid on this machine (RFC 6874, section 4)
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
        host, port, timeout_s = self._locator.host, self._locator.port, min(OPENING_S, self._left_s())
        if self._locator.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=unverified_tls_context()
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise SourceError(unreachable_reason(error)) from None
        assert isinstance(connection.sock, socket.socket)
        self._connection, self._socket = connection, connection.sock
        if self.aborted.is_set():
            raise SourceError("the connection was aborted")
        self.set_deadline(self._deadline)
        return connection

    def _finish_response(self, response: http.client.HTTPResponse) -> None:
        """Read the rest of a response so that its connection can be reused; close it if the rest is long."""
        length = response.length
        if length is None or length > MAX_ERROR_PAGE_BYTES or response.will_close:
            self.close()
            return
        try:
            response.read()
        except (OSError, http.client.HTTPException):
            self.close()

    def _redirect_to(self, location: str) -> None:
        """Follow a redirection. The password is sent to the same host only."""
        self.close()
        try:
            redirected = Locator.parse(urljoin(self._locator.plain, location))
        except ConfigurationError:
            raise SourceError("it redirects to an invalid address") from None
        if redirected.scheme not in {"http", "https"}:
            raise SourceError(f"it redirects to {redirected.scheme}://, which is not HTTP")
        same = redirected.host == self._locator.host
        self._locator = Locator(
            scheme=redirected.scheme, host=redirected.host, port=redirected.port, target=redirected.target,
            user=self._locator.user if same else "", password=self._locator.password if same else "",
        )  # fmt: skip
        self._authorization = Authorization(self._locator.user, self._locator.password)


def _no_answer_reason(error: OSError | http.client.HTTPException | ValueError) -> str:
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return "not reachable: it closes the connection"
    return unreachable_reason(error) if isinstance(error, OSError) else "it does not speak HTTP"


def unverified_tls_context() -> ssl.SSLContext:
    """Return a TLS context that encrypts but does not verify the server: cameras sign their own certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unreachable_reason(error: OSError) -> str:
    """Return the reason why a camera was not reached, without the address, which may contain a password."""
    return f"not reachable: {network_reason(error)}"
