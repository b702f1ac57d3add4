"""Requests to the gateway by MQTT, and their answers."""

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

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
"""A request names a camera or a node."""

_MAX_COMMAND_LENGTH = 64
"""Letters of what is asked for; it becomes a topic and a line of the log."""

_WARNING_PERIOD_S = 60.0
"""Requests that are left alone are logged so often at the most."""

if TYPE_CHECKING:
    RequestCommand = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class RequestHandler:
    """Answers `bridge/request/<command>` at `bridge/response/<command>`, and where MQTT 5 says that it is wanted.

    A command gets the request's JSON object, and returns what is to be told, or raises DeepThingsError.
    """

    def __init__(self, bus: Planes, commands: Mapping[str, RequestCommand]) -> None:
        self._bus = bus
        self._commands = commands
        self._complaints = RateLimit(_WARNING_PERIOD_S)
        bus.on_plain(topics.REQUEST, self._on_request, queued=True)

    async def _on_request(self, received: Received) -> None:
        (command,) = received.names
        if received.retained:
            self._complain("retained", f"a retained request for {printable(command)} is left alone")
            return
        if not 0 < len(command) <= _MAX_COMMAND_LENGTH:
            self._complain("long", f"a request for {printable(command)} is left alone: that name is invalid")
            return
        transaction, response = None, Response(command=command, ok=False)
        try:
            said = _read(received.payload)
            transaction = said.get("transaction")
            response = Response(command=command, ok=True, data=dict(await self._carried_out(received, said)))
        except DeepThingsError as error:
            response = Response(command=command, ok=False, error=str(error))
        except Exception:  # a mistake of ours in one command must not end the gateway
            log.exception("request %s failed", printable(command))
            response = Response(command=command, ok=False, error="it failed; the gateway's log says why")
        if isinstance(transaction, str | int):
            response = response.model_copy(update={"transaction": transaction})
        try:
            await self._bus.deliver(topics.RESPONSE, response, command)
            if not received.invalid_answer:
                await self._bus.publish_response(received, response)
        except BrokerError as error:
            log.warning("request %s could not be answered: %s", printable(command), error)

    def _complain(self, kind: str, text: str) -> None:
        if self._complaints.allows(kind, time.monotonic()):
            log.warning("%s", text)

    async def _carried_out(self, received: Received, said: Mapping[str, Any]) -> Mapping[str, Any]:
        if invalid := received.invalid_answer:
            raise ConfigurationError(f"{invalid}; the request is not carried out")
        return await self._command(received.names[0])(said)

    def _command(self, name: str) -> RequestCommand:
        if name not in self._commands:
            raise ConfigurationError(f"no request {name!r}; there are {', '.join(sorted(self._commands))}")
        return self._commands[name]


def required_name(said: Mapping[str, Any], key: str) -> str:
    """A name that a request must have. Raises ConfigurationError."""
    value = said.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f'the request must name a {key}, as {{"{key}": "..."}}')
    return value


def _read(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_REQUEST_BYTES:
        raise ConfigurationError(f"a request of {len(payload)} bytes is too large")
    text = payload.decode(errors="replace").strip()
    try:
        said = from_json(text) if text else {}
    except ValueError:
        raise ConfigurationError(f"{text[:60]!r} is no JSON") from None
    if not isinstance(said, dict):
        raise ConfigurationError("a request is a JSON object, or nothing")
    return said
