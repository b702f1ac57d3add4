"""Carries out requests to the gateway that come by MQTT, and publishes the responses."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from shared.errors import BrokerError, ConfigurationError, DeepThingsError
from shared.logs.printable import printable
from shared.logs.rate_limit import RateLimit
from shared.mqtt import topics
from shared.payloads.bridge import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.broker.planes import Planes
    from shared.mqtt.received import Received

    RequestCommand = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
"""The largest request; most requests only name a camera or a node."""

_MAX_COMMAND_LENGTH = 64
"""Characters of a request's name, which becomes part of a topic and of log lines."""

_WARNING_PERIOD_S = 60.0
"""Ignored requests are logged at most once in this time."""


class RequestHandler:
    """Answers `bridge/request/<command>` with `bridge/response/<command>`, and to the response topic of MQTT 5.

    `commands` are the handlers by the names of requests. A handler gets the request's JSON object, and returns the data
    of the response, or raises DeepThingsError.
    """

    def __init__(self, bus: Planes, commands: Mapping[str, RequestCommand]) -> None:
        self._bus = bus
        self._commands = commands
        self._warnings = RateLimit(_WARNING_PERIOD_S)
        bus.on_plain(topics.REQUEST, self._on_request, queued=True)

    async def perform(self, command: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out a request that did not come by MQTT; return the data of the answer. Raises DeepThingsError."""
        return await self._command(command)(request)

    async def _on_request(self, received: Received) -> None:
        (command,) = received.names
        if received.retained:
            self._warn("retained", f"a retained request for {printable(command)} is ignored: publish it without retain")
            return
        if not 0 < len(command) <= _MAX_COMMAND_LENGTH:
            self._warn(
                "name",
                f"a request for {printable(command)} is ignored: its name is invalid; it must have 1 to "
                f"{_MAX_COMMAND_LENGTH} characters",
            )
            return
        transaction, response = None, Response(command=command, ok=False)
        try:
            request = _read(received.payload)
            transaction = request.get("transaction")
            response = Response(command=command, ok=True, data=dict(await self._execute(received, request)))
        except DeepThingsError as error:
            response = Response(command=command, ok=False, error=str(error))
        except Exception:  # a bug in one command must not end the gateway
            log.exception("request %s failed", printable(command))
            response = Response(command=command, ok=False, error="the request failed; see the gateway's log")
        if isinstance(transaction, str | int):
            response = response.model_copy(update={"transaction": transaction})
        try:
            await self._bus.deliver(topics.RESPONSE, response, command)
            if not received.invalid_answer:
                await self._bus.publish_response(received, response)
        except BrokerError as error:
            log.warning("request %s could not be answered: %s", printable(command), error)

    def _warn(self, kind: str, text: str) -> None:
        if self._warnings.allows(kind, time.monotonic()):
            log.warning("%s", text)

    async def _execute(self, received: Received, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if invalid := received.invalid_answer:
            raise ConfigurationError(f"{invalid}; the request is not carried out")
        return await self._command(received.names[0])(request)

    def _command(self, name: str) -> RequestCommand:
        if name not in self._commands:
            raise ConfigurationError(f"unknown request {name!r}; valid requests: {', '.join(sorted(self._commands))}")
        return self._commands[name]


def required_name(request: Mapping[str, Any], key: str) -> str:
    """Return the value of `key`, which a request must have. Raises ConfigurationError."""
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f'the request must name a {key}, as {{"{key}": "..."}}')
    return value


def _read(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_REQUEST_BYTES:
        raise ConfigurationError(f"a request of {len(payload)} bytes is too large; send at most {MAX_REQUEST_BYTES}")
    text = payload.decode(errors="replace").strip()
    try:
        request = from_json(text) if text else {}
    except ValueError:
        raise ConfigurationError(f'{text[:60]!r} is not valid JSON; send for example {{"camera": "front"}}') from None
    if not isinstance(request, dict):
        raise ConfigurationError("a request must be a JSON object, or empty")
    return request
