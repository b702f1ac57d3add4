"""The bus: typed messages over MQTT 5, with a connection that is restored whenever it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from shared.errors import BrokerError
from shared.logs.outage import Outage
from shared.mqtt import topics
from shared.mqtt.broker_client import MAX_PENDING_CALLS, BrokerClient, expiry_properties
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.message_size import check_size
from shared.mqtt.outgoing import will_of
from shared.mqtt.received import Received
from shared.mqtt.refused_login import refusal_message
from shared.mqtt.topic_kinds import DEFAULT_PREFIX, AnyTopic, M, PlainTopic, Topic, Writer, foreign_topic
from shared.network.backoff import Backoff
from shared.process.fault_boundary import FaultBoundary
from shared.reasons.broker_reasons import broker_reason, is_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from shared.mqtt.broker_health import BrokerHealth
    from shared.mqtt.name_claim import NameOwner
    from shared.mqtt.outgoing import Outgoing
    from shared.network.addresses import Address
    from shared.payloads.base import Message

log = logging.getLogger(__name__)

MAX_BACKLOG = 100
"""Messages that wait for a queued handler; further ones are ignored, and their senders must send them again."""

MAX_PATIENT_PAUSE_S = 4.0
"""The longest pause between attempts of a bus with `health`, which tries again even when the broker refuses it."""

MAX_ROUTES = 4096
"""Topics whose handlers are remembered; a gateway of 256 cameras receives messages at fewer topics."""

SHORT_SESSION_S = 3.0
MAX_SHORT_SESSIONS = 5
"""If more connections in a row end at once, another client probably has our client id: each connection ends the other.
(The broker's DISCONNECT has the reason, but paho-mqtt 2 does not pass on a reason of one byte.)"""

_Handler = tuple[AnyTopic, str, "Callable[..., Awaitable[None] | None]", bool]
"""A topic, its path, the function to call, and whether that takes raw payloads."""


class Bus:
    """One client of the broker. Handlers run one after the other on the event loop and must not block.

    A handler that fails loses its message and nothing else.

    `on_connected` is awaited after each (re)connect, once all topics are subscribed. The broker publishes `will` when
    the connection breaks; `run` publishes it itself when it ends, and then awaits `on_stopping`.
    """

    def __init__(
        self,
        broker: Address,
        client_id: str,
        *,
        will: Outgoing[Any] | None = None,
        on_connected: Callable[[], Awaitable[None]] | None = None,
        on_stopping: Callable[[], Awaitable[None]] | None = None,
        prefix: str = DEFAULT_PREFIX,
        owner: NameOwner | None = None,
        temporary: bool = False,
        login: Login = ANONYMOUS,
        health: BrokerHealth | None = None,
        clears_commands: bool = False,
    ) -> None:
        """`owner` claims the client's name before each connection. `temporary` connections are logged at DEBUG level.

        With `clears_commands`, messages that other clients retain at command topics are cleared: they could fill the
        broker's memory.
        `health` records problems; with it, the bus keeps trying even when the broker refuses the login.
        """
        self.broker = broker
        self.prefix = prefix
        self._login = login
        self._clears_commands = clears_commands
        self._note_arrival: Callable[[str], None] = lambda _: None
        self._health = health
        self.connected = asyncio.Event()
        self.sent_bytes = 0
        self.received_bytes = 0
        self._client_id = client_id
        self._will = will
        self._on_connected = on_connected
        self._on_stopping = on_stopping
        self._note_retained: Callable[..., None] = lambda *_, **__: None
        self._owner = owner
        self._connected_level = logging.DEBUG if temporary else logging.INFO
        self._handlers: list[_Handler] = []
        self._routes: dict[str, list[_Handler]] = {}
        self._client: BrokerClient | None = None
        self._reached_at: float | None = None
        self._backlogs: list[tuple[str, asyncio.Queue[Received], Callable[[Received], Awaitable[None] | None]]] = []
        self._outbox: set[asyncio.Task[None]] = set()
        self._boundary = FaultBoundary()
        self._outage = Outage()
        if owner is not None:
            owner.defend_on(self)

    def on(self, topic: Topic[M], handler: Callable[[str, M], Awaitable[None] | None], name: str = "+") -> None:
        """Subscribe: call `handler(name, message)` with the first name in the topic. Call before `run`.

        `name` limits the subscription to one name; `+` is every name.
        """
        self._handlers.append((topic, topic.full_path(name, prefix=self.prefix), handler, False))

    def on_plain(
        self, topic: AnyTopic, handler: Callable[[Received], Awaitable[None] | None], *, queued: bool = False
    ) -> None:
        """Subscribe: call `handler(received)` with each raw payload, also empty ones, of all names. Call before `run`.

        A `queued` handler may take long: other messages are handled meanwhile.
        """
        path = topic.full_path(prefix=self.prefix)
        if queued:
            backlog: asyncio.Queue[Received] = asyncio.Queue(MAX_BACKLOG)
            self._backlogs.append((path, backlog, handler))
            handler = backlog.put_nowait
        self._handlers.append((topic, path, handler, True))

    def on_arrival(self, note: Callable[[str], None]) -> None:
        """Call `note(topic)` for each message that is received."""
        self._note_arrival = note

    def on_retained(self, note: Callable[..., None]) -> None:
        """Call `note(topic, retained=...)` for each full topic at which we publish or clear a retained message."""
        self._note_retained = note

    async def publish(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish, and with QoS 1 wait for the acknowledgement. Raises BrokerError, also when not connected."""
        await self._publish(topic, message.model_dump_json().encode(), names)

    async def publish_plain(self, topic: AnyTopic, payload: bytes, *names: str) -> None:
        """Publish a raw payload; see `publish`."""
        await self._publish(topic, payload, names)

    async def publish_at(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        """Publish to the full topic of another program; see `publish`."""
        data = payload.encode() if isinstance(payload, str) else payload
        await self._publish(foreign_topic(topic, retain=retain), data, ())

    async def clear_retained(self, topic: AnyTopic, *names: str) -> None:
        """Clear the retained message. Raises BrokerError."""
        await self._publish(topic, b"", names)

    async def publish_response(self, request: Received, message: Message) -> None:
        """Publish to the response topic of a request (MQTT 5); do nothing if it has none.

        Raises BrokerError, also for an invalid response topic: the broker would disconnect us.
        """
        if invalid := request.invalid_answer:
            raise BrokerError(invalid)
        allowed = topics.RESPONSE.full_path("", prefix=self.prefix)
        if self._clears_commands and request.response_topic and not request.response_topic.startswith(allowed):
            raise BrokerError(f"the response topic must begin with {allowed}")
        if request.response_topic and self._client is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if request.correlation is not None:
                properties.CorrelationData = request.correlation
            payload = message.model_dump_json().encode()
            check_size(request.response_topic, payload)
            with self._broker_answer(request.response_topic):
                await self._client.publish_checked(
                    request.response_topic, payload, 1, retain=False, properties=properties
                )

    def publish_soon(self, topic: Topic[M], message: M, *names: str) -> None:
        """Publish in the background, without errors: for messages that leases or retries repeat when they are lost."""
        client = None if topic.qos or topic.retain else self._client  # with QoS 0, no task must wait for an answer
        if (len(self._outbox) if client is None else client.posted) >= MAX_PENDING_CALLS:
            path = topic.full_path(*names, prefix=self.prefix)
            log.warning("%s not published: %s messages already wait for the broker", path, MAX_PENDING_CALLS)
            return
        if client is not None:
            self._post(client, topic, message, names)
            return
        task = asyncio.create_task(self._publish_quietly(topic, message, names))
        self._outbox.add(task)
        task.add_done_callback(self._outbox.discard)

    async def run(self) -> None:
        """Stay connected until cancelled, then publish the will and disconnect.

        Raises BrokerError when the broker refuses us, and NameTakenError: trying again would not help.
        """
        queued = [asyncio.create_task(self._handle_backlog(*backlog)) for backlog in self._backlogs]
        try:
            await self._stay_connected()
        finally:
            for task in queued:
                task.cancel()
            await asyncio.gather(*queued, return_exceptions=True)

    async def _handle_backlog(
        self, path: str, backlog: asyncio.Queue[Received], handler: Callable[[Received], Awaitable[None] | None]
    ) -> None:
        while True:
            received = await backlog.get()
            with self._boundary.guard(path, path):
                result = handler(received)
                if result is not None:
                    await result

    async def _stay_connected(self) -> None:
        backoff = Backoff() if self._health is None else Backoff(longest_s=MAX_PATIENT_PAUSE_S)
        short_sessions = 0
        while True:
            began = self._reached_at = None
            try:
                async with self._claimed_name(), self._session() as client:
                    began = time.monotonic()
                    if self._owner is not None:
                        await self._owner.hand_over()
                    while True:
                        await self._dispatch(await client.next_message())
            except (aiomqtt.MqttError, BrokerError) as error:
                if self._reached_at is not None:  # a session that ends before it was set up counts as short
                    short = began is None or time.monotonic() - began < SHORT_SESSION_S
                    short_sessions = short_sessions + 1 if short else 0
                    if not short:
                        backoff.reset()
                        self._outage.note_success()
                self._on_connection_lost(error, short_sessions)
                await asyncio.sleep(backoff.next_s())

    def _on_connection_lost(self, error: Exception, short_sessions: int) -> None:
        """Report why there is no connection. Raises BrokerError if trying again cannot help."""
        reason = broker_reason(error)
        if short_sessions >= MAX_SHORT_SESSIONS:
            reason = (
                "it closes our connections at once: it restarts again and again, or another program is connected as "
                f"{self._client_id!r}; give each edge its own --name, and each gateway its own client id"
            )
        if self._health is not None:
            self._health.note_failure(reason)
            return
        if short_sessions >= MAX_SHORT_SESSIONS and self._owner is None:  # a name owner finds the other process itself
            raise BrokerError(f"broker {self.broker}: {reason}") from error
        if is_refusal(error):
            if isinstance(error, BrokerError):  # the connection that claims our name has raised it with its message
                raise error
            raise BrokerError(refusal_message(self.broker, self._login, reason)) from error
        log.log(self._outage.level(reason), "broker %s: %s; trying again until it works", self.broker, reason)

    @contextlib.asynccontextmanager
    async def _claimed_name(self) -> AsyncIterator[None]:
        """Claim our name, and release the claim at the end of the context. Raises NameTakenError."""
        if self._owner is None:
            yield
            return
        try:
            await self._owner.claim()
            yield
        finally:
            await self._owner.release()

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[BrokerClient]:
        """Connect and subscribe; yield the client. Its `next_message` raises MqttError when the connection is lost."""
        client = BrokerClient(self.broker, self._client_id, login=self._login, will=will_of(self._will, self.prefix))
        async with client.connection(self._on_session_lost):
            self._client, self._reached_at = client, time.monotonic()
            if self._health is not None:
                self._health.note_connected()
            try:
                for topic, path, *_ in self._handlers:
                    subscribe = client.subscribe_commands if self._clears_at(topic) else client.subscribe_checked
                    with self._broker_answer(path):
                        await subscribe(path, topic.qos)
                if self._on_connected is not None:
                    await self._on_connected()
                self.connected.set()
                log.log(self._connected_level, "connected to broker %s as %s", self.broker, self._client_id)
                yield client
            except asyncio.CancelledError:
                with contextlib.suppress(BrokerError):
                    if self._will is not None:
                        await self.publish(self._will.topic, self._will.message, self._will.name)
                    if self._on_stopping is not None:
                        await self._on_stopping()
                raise
            finally:
                self._client = None
                self.connected.clear()

    def _on_session_lost(self) -> None:
        """Refuse to publish from now on, even while a handler still processes a message of this connection."""
        self._client = None

    async def _publish(self, topic: AnyTopic, payload: bytes, names: tuple[str, ...]) -> None:
        path = topic.full_path(*names, prefix=self.prefix)
        check_size(path, payload)
        if self._client is None:
            raise BrokerError(f"not connected to the broker at {self.broker}")
        if topic.retain and payload:
            self._note_retained(path, retained=True)
        with self._broker_answer(path):
            await self._client.publish_checked(
                path, payload, topic.qos, retain=topic.retain, properties=expiry_properties(topic.expiry_s)
            )
            if self._health is not None and topic.qos:
                self._health.note_accepted(path)
        if topic.retain and not payload:
            self._note_retained(path, retained=False)
        self.sent_bytes += len(path) + len(payload)

    @contextlib.contextmanager
    def _broker_answer(self, path: str) -> Iterator[None]:
        """Guard a wait for the broker's answer: raise BrokerError for refusals and for a lost connection.

        Before Python 3.12, asyncio.wait_for drops a cancellation that comes at the same moment as the answer. Such a
        cancellation is raised here, or a task that awaits ours would hang.
        """
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task else 0
        try:
            yield
        except aiomqtt.MqttError as error:
            if self._health is not None and is_refusal(error):
                self._health.note_denied(path, broker_reason(error))
            else:
                raise BrokerError(f"broker {self.broker} did not accept {path}: {broker_reason(error)}") from error
        except ValueError as error:  # paho-mqtt's for an invalid topic
            raise BrokerError(f"broker {self.broker} did not accept {path}: {error}") from error
        if task is not None and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError

    def _post(self, client: BrokerClient, topic: Topic[Any], message: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401
        path, payload = topic.full_path(*names, prefix=self.prefix), message.model_dump_json().encode()
        try:
            check_size(path, payload)
            with self._broker_answer(path):
                client.post(path, payload, properties=expiry_properties(topic.expiry_s))
        except BrokerError as error:
            log.debug("%s", error)
        else:
            self.sent_bytes += len(path) + len(payload)

    async def _publish_quietly(self, topic: Topic[Any], message: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401
        try:
            await self.publish(topic, message, *names)
        except BrokerError as error:
            log.debug("%s", error)

    async def _dispatch(self, message: aiomqtt.Message) -> None:
        """Call the handlers of a message, each in its own fault boundary."""
        if not isinstance(message.payload, bytes):
            return
        full_topic = str(message.topic)
        self.received_bytes += len(full_topic) + len(message.payload)
        self._note_arrival(full_topic)
        for topic, path, handler, plain in self._handlers_of(message.topic, full_topic):
            with self._boundary.guard(path, full_topic):
                names = topic.names_in(full_topic, self.prefix)
                if message.retain and self._clears_at(topic) and self._client is not None:
                    self._client.clear_retained(full_topic)
                    message.retain = False  # subscribe_commands delivers live messages only
                if plain or isinstance(topic, PlainTopic):
                    result = handler(Received.from_message(message, names, message.payload))
                elif message.payload:  # an empty payload clears a retained message
                    result = handler(next(iter(names), ""), topic.message.model_validate_json(message.payload))
                else:
                    continue
                if result is not None:
                    await result

    def _clears_at(self, topic: AnyTopic) -> bool:
        return self._clears_commands and topic.writer is Writer.ANYBODY

    def _handlers_of(self, topic: aiomqtt.Topic, full_topic: str) -> list[_Handler]:
        """Return the handlers of a topic. They are remembered, because most messages come at few topics."""
        found = self._routes.get(full_topic)
        if found is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            found = self._routes[full_topic] = [handler for handler in self._handlers if topic.matches(handler[1])]
        return found
