"""The small things' plane: typed messages over MQTT 5, connected again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import ValidationError

from shared.backoff import Backoff
from shared.errors import BrokerError
from shared.topics import PREFIX, M, PlainTopic, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from shared.addresses import Address
    from shared.message import Message

log = logging.getLogger(__name__)

KEEPALIVE_S = 10
"""The broker sends the will of a client that vanished without a word after 1.5 times this."""

LARGEST_MESSAGE_BYTES = 1_000_000
"""Below the broker's max_packet_size (mosquitto/mosquitto.conf): a larger one would be refused for ever."""

QUEUED_MESSAGES_CAP = 2000
"""Unread messages: some hundred frames' worth; a client that is further behind may lose the rest."""

OUTBOX_CAP = 500
"""Messages under way to the broker: it answers in a millisecond; when it does not, more of them help nobody."""

SHORT_SESSION_S = 3.0
SHORT_SESSIONS_CAP = 5
"""So many connections in a row that end as soon as they stand: another client has our name, and each ends the other.
(The broker says so in its DISCONNECT, but paho-mqtt 2 does not pass a reason of one byte on.)"""

NOT_AUTHORIZED = frozenset({134, 135})


@dataclass(frozen=True, slots=True)
class Received:
    """A payload that is no message of ours, the names in its topic, and where an answer is wanted (MQTT 5)."""

    names: tuple[str, ...]
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outgoing(Generic[M]):
    """A message and where it goes."""

    topic: Topic[M]
    message: M
    name: str = ""


class Bus:
    """One client of the broker. Handlers run one after the other on the loop and must not block.

    `birth` is awaited after each connection, when the subscriptions stand; `will` is what the broker says when the
    connection breaks, and what `run` publishes itself when it ends; `farewell` is awaited after that.
    """

    def __init__(
        self,
        broker: Address,
        client_id: str,
        *,
        will: Outgoing[Any] | None = None,
        birth: Callable[[], Awaitable[None]] | None = None,
        farewell: Callable[[], Awaitable[None]] | None = None,
        prefix: str = PREFIX,
    ) -> None:
        self.broker = broker
        self.prefix = prefix
        self.connected = asyncio.Event()
        self.sent_bytes = 0
        self.received_bytes = 0
        self._client_id = client_id
        self._will = will
        self._birth = birth
        self._farewell = farewell
        self._note_retained: Callable[..., None] = lambda *_, **__: None
        self._handlers: list[tuple[Topic[Any] | PlainTopic, str, Callable[..., Awaitable[None] | None]]] = []
        self._client: aiomqtt.Client | None = None
        self._reached_at: float | None = None
        self._outbox: set[asyncio.Task[None]] = set()

    def on(self, topic: Topic[M], handler: Callable[[str, M], Awaitable[None] | None], name: str = "+") -> None:
        """Call `handler(name, message)` for each message, with the first name in its topic; `+` is for every name.

        Call before `run`.
        """
        self._handlers.append((topic, topic.at(name, prefix=self.prefix), handler))

    def on_plain(self, topic: PlainTopic, handler: Callable[[Received], Awaitable[None] | None]) -> None:
        """Call `handler(received)` for each payload, of all names. Call before `run`."""
        self._handlers.append((topic, topic.at(prefix=self.prefix), handler))

    def on_retained(self, note: Callable[..., None]) -> None:
        """Call `note(topic, retained=...)` for each topic at which something is, or is not any more, retained by us."""
        self._note_retained = note

    async def publish(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish, and wait until the broker has it (QoS 1). Raises BrokerError when there is no connection."""
        await self._publish(topic, message.model_dump_json().encode(), names)

    async def publish_plain(self, topic: PlainTopic, payload: bytes, *names: str) -> None:
        """The same for a payload that is no message of ours."""
        await self._publish(topic, payload, names)

    async def publish_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """The same at a topic of another program, written out."""
        root, _, path = topic.partition("/")
        said = payload.encode() if isinstance(payload, str) else payload
        await self._publish(PlainTopic(path, "", retain=retain, root=root), said, ())

    async def clear(self, topic: Topic[Any] | PlainTopic, *names: str) -> None:
        """Clear the retained message. Raises BrokerError."""
        await self._publish(topic, b"", names)

    async def answer(self, request: Received, message: Message) -> None:
        """Publish where the sender of a request wants the answer (MQTT 5); nowhere if it did not say."""
        if request.response_topic and self._client is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if request.correlation is not None:
                properties.CorrelationData = request.correlation
            with self._broker_errors(request.response_topic):
                payload = message.model_dump_json().encode()
                await self._client.publish(request.response_topic, payload, 1, False, properties)

    def post(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish in the background, for whom a lost message is no loss: leases and retries make up for it."""
        if len(self._outbox) >= OUTBOX_CAP:
            where = topic.at(*names, prefix=self.prefix)
            log.warning("%s not published: %s messages wait for the broker", where, OUTBOX_CAP)
            return
        task = asyncio.create_task(self._post(topic, message, names))
        self._outbox.add(task)
        task.add_done_callback(self._outbox.discard)

    async def run(self) -> None:
        """Stay connected until cancelled, then say goodbye.

        Raises BrokerError where trying again cannot help: refused, or another client has our name.
        """
        backoff, short_sessions = Backoff(), 0
        while True:
            began = self._reached_at = None
            try:
                async with self._session() as client:
                    began = time.monotonic()
                    async for message in client.messages:
                        await self._dispatch(message)
            except (aiomqtt.MqttError, BrokerError) as error:
                reason = error.__cause__ or error
                self._refuse_hopeless(reason)
                if self._reached_at is not None:  # one that ends before it stands is short, however long that took
                    short = began is None or time.monotonic() - began < SHORT_SESSION_S
                    short_sessions = short_sessions + 1 if short else 0
                    if not short:
                        backoff.reset()
                if short_sessions == SHORT_SESSIONS_CAP:
                    raise BrokerError(
                        f"broker {self.broker} ended our connection {short_sessions} times in a row: another client is "
                        f"connected as {self._client_id!r}; there can be one gateway only, and each edge needs its own "
                        "--name"
                    ) from error
                delay_s = backoff.next_s()
                log.warning("broker %s: %s; trying again in %.1f s", self.broker, reason, delay_s)
                await asyncio.sleep(delay_s)

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[aiomqtt.Client]:
        client = aiomqtt.Client(
            self.broker.host,
            self.broker.port,
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            keepalive=KEEPALIVE_S,
            will=_will(self._will, self.prefix),
            max_queued_incoming_messages=QUEUED_MESSAGES_CAP,
            max_queued_outgoing_messages=QUEUED_MESSAGES_CAP,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        client.pending_calls_threshold = OUTBOX_CAP
        async with client:
            self._client, self._reached_at = client, time.monotonic()
            try:
                for topic, where, _ in self._handlers:
                    with self._broker_errors(where):
                        await client.subscribe(where, qos=topic.qos)
                if self._birth is not None:
                    await self._birth()
                self.connected.set()
                log.info("connected to broker %s", self.broker)
                yield client
            except asyncio.CancelledError:
                with contextlib.suppress(BrokerError):
                    if self._will is not None:
                        await self.publish(self._will.topic, self._will.message, self._will.name)
                    if self._farewell is not None:
                        await self._farewell()
                raise
            finally:
                self._client = None
                self.connected.clear()

    async def _publish(self, topic: Topic[Any] | PlainTopic, payload: bytes, names: tuple[str, ...]) -> None:
        where = topic.at(*names, prefix=self.prefix)
        if len(payload) > LARGEST_MESSAGE_BYTES:
            raise BrokerError(f"a message of {len(payload)} bytes is too large for {where}")
        if self._client is None:
            raise BrokerError(f"not connected to the broker at {self.broker}")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if topic.expiry_s is not None:
            properties.MessageExpiryInterval = topic.expiry_s
        if topic.retain and payload:
            self._note_retained(where, retained=True)
        with self._broker_errors(where):
            await self._client.publish(where, payload, topic.qos, topic.retain, properties)
        if topic.retain and not payload:
            self._note_retained(where, retained=False)
        self.sent_bytes += len(where) + len(payload)

    @contextlib.contextmanager
    def _broker_errors(self, where: str) -> Iterator[None]:
        """Around what aiomqtt awaits: its errors are ours, and a cancellation is one.

        It awaits by asyncio.wait_for, which before Python 3.12 forgets that it was cancelled when the broker's answer
        comes at the same moment: whoever waits for the task's end would wait for ever.
        """
        task = asyncio.current_task()
        asked = task.cancelling() if task else 0
        try:
            yield
        except (aiomqtt.MqttError, ValueError) as error:  # paho-mqtt says ValueError of a topic that cannot be
            raise BrokerError(f"broker {self.broker} did not take {where}: {error}") from error
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError

    async def _post(self, topic: Topic[Any], message: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401
        try:
            await self.publish(topic, message, *names)
        except BrokerError as error:
            log.debug("%s", error)

    async def _dispatch(self, message: aiomqtt.Message) -> None:
        if isinstance(message.payload, bytes):
            self.received_bytes += len(str(message.topic)) + len(message.payload)
        for topic, where, handler in self._handlers:
            if not message.topic.matches(where) or not isinstance(message.payload, bytes):
                continue
            names = topic.names_in(str(message.topic), self.prefix)
            if isinstance(topic, PlainTopic):
                result = handler(_received(message, names, message.payload))
            elif message.payload:
                try:
                    parsed = topic.message.model_validate_json(message.payload)
                except ValidationError as error:
                    log.warning("%s: message ignored: %s", message.topic, _first_line(error))
                    continue
                result = handler(next(iter(names), ""), parsed)
            else:
                continue  # a retained message was cleared
            if result is not None:
                await result

    def _refuse_hopeless(self, error: BaseException) -> None:
        code = getattr(error, "rc", None)  # a ReasonCode of the broker's, or a number of paho-mqtt's own
        if getattr(code, "value", None) in NOT_AUTHORIZED:
            raise BrokerError(
                f"broker {self.broker} refuses us: {error}; allow this client there, or start the gateway "
                "without --broker to use its own"
            ) from error


def _received(message: aiomqtt.Message, names: tuple[str, ...], payload: bytes) -> Received:
    said = message.properties
    return Received(
        names,
        payload,
        bool(message.retain),
        getattr(said, "ResponseTopic", None),
        getattr(said, "CorrelationData", None),
    )


def _will(will: Outgoing[Any] | None, prefix: str) -> aiomqtt.Will | None:
    if will is None:
        return None
    return aiomqtt.Will(
        will.topic.at(will.name, prefix=prefix), will.message.model_dump_json(), will.topic.qos, will.topic.retain
    )


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
