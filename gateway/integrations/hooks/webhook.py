"""Delivers events by HTTP POST."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING

import httpx

from gateway.integrations.hooks.delivery import DeliveryOutcome
from gateway.integrations.hooks.responses import AttemptFailure, failure_of_response
from gateway.integrations.hooks.signing import webhook_headers
from shared.errors import ConfigurationError
from shared.network.backoff import Backoff
from shared.process.lifecycle import installed_version

if TYPE_CHECKING:
    from gateway.configuration.automation import WebhookSection
    from gateway.integrations.hooks.delivery import Delivery

log = logging.getLogger(__name__)

FIRST_RETRY_DELAY_S = 0.5
_MAX_RETRY_DELAY_S = 15.0
"""Longest pause between attempts, before its random part: long enough for a server that restarts."""

for _library in ("httpx", "httpcore"):  # below WARNING they log complete URLs, which often contain a token
    logging.getLogger(_library).setLevel(logging.WARNING)


def webhook_host(url: str) -> str:
    """Return the host of a webhook's URL; messages show no other part of it. Raises ConfigurationError."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError(
            "invalid webhook url (not shown: it may contain a password); write it as http://HOST/PATH or "
            "https://HOST/PATH"
        )
    return parsed.host


def trusted_certificates() -> ssl.SSLContext:
    """Return a TLS context with the authorities that this machine trusts, also those that a person has installed."""
    return ssl.create_default_context()


class WebhookSender:
    """Posts events to one address, directly: no proxy, no redirection, no login from a .netrc file."""

    def __init__(self, hook: WebhookSection, trust: ssl.SSLContext) -> None:
        """Raise ConfigurationError if the hook's URL is invalid."""
        self._url = hook.url.get_secret_value()
        self.name = webhook_host(self._url)
        self._hook = hook
        self._secret = None if hook.secret is None else hook.secret.get_secret_value()
        self._trust = trust
        self._agent = f"deepthings/{installed_version()}"

    async def send(self, delivery: Delivery) -> DeliveryOutcome:
        """Post an event; retry after temporary failures: no connection, no answer in time, 429 and 5xx."""
        backoff = Backoff(FIRST_RETRY_DELAY_S, _MAX_RETRY_DELAY_S)
        attempts = 1
        while (failure := await self._try(delivery)) is not None:
            if not failure.again or attempts > self._hook.retries:
                return DeliveryOutcome(failure=failure.reason + (f", {attempts} times" if attempts > 1 else ""))
            delay_s = max(backoff.next_s(), failure.after_s)
            log.debug("%s: delivery %s: %s; trying again in %.1f s", self.name, delivery.id, failure.reason, delay_s)
            await asyncio.sleep(delay_s)
            attempts += 1
        return DeliveryOutcome()

    async def _try(self, delivery: Delivery) -> AttemptFailure | None:
        """Post an event once; return the failure, None after a success."""
        sent = {"User-Agent": self._agent} | webhook_headers(delivery, self._secret, time.time())
        try:
            async with (
                asyncio.timeout(self._hook.timeout),
                httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=None) as client,  # noqa: S113  (above)
                client.stream("POST", self._url, content=delivery.body, headers=sent) as answer,
            ):
                # The body is not read: the status is all that counts.
                return failure_of_response(answer.status_code, answer.headers.get("Retry-After", ""))
        except TimeoutError:
            return AttemptFailure(f"no answer within {self._hook.timeout:g} s", again=True)
        except httpx.TransportError as error:
            untrusted = _certificate_error(error)
            if untrusted is not None:
                return AttemptFailure(f"its certificate is not trusted: {untrusted.verify_message}")
            return AttemptFailure(_REASONS.get(type(error), "the connection failed"), again=True)


_REASONS: dict[type[httpx.TransportError], str] = {
    httpx.ConnectError: "it cannot be reached",
    httpx.RemoteProtocolError: "it closed the connection, or does not speak HTTP",
}


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the error of an untrusted certificate among the causes of an error; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
