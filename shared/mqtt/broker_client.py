"""One MQTT 5 connection by aiomqtt, which closes cleanly and reports everything that the broker refuses."""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, cast

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from shared.errors import BrokerError
from shared.mqtt.arrivals import Arrivals
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.reasons.network_reasons import network_reason
from shared.reasons.system_reasons import CONNECTION_LOST, NO_ANSWER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Iterator

    from paho.mqtt.reasoncodes import ReasonCode

    from shared.network.addresses import Address

BROKER_KEEPALIVE_S = 10
"""The broker publishes the will of a silent client after 1.5 times this."""

MAX_QUEUED_MESSAGES = 2000
"""Unread messages, as many as about a hundred frames have; further messages are lost."""

MAX_PENDING_CALLS = 500
"""Messages that wait for the broker's acknowledgement, which normally takes a millisecond; more would not be faster."""

MAX_POSTED = 32
"""Messages of `post` that the socket has not taken yet, as many as the detections of some frames."""

MAX_PACKETS_AT_ONCE = 20
"""Packets that are read before other tasks of the event loop get their turn, such as those that handle requests."""

ENDED_UNANSWERED = "it closed the connection without an answer (is it a broker's port, and does it require TLS?)"
ENDED_UNANSWERED_TLS = "it closed the connection without an answer (does it require a client certificate, or another?)"
ENDED_TLS = "it closed the connection instead of encrypting it (does it speak TLS on that port?)"

_silent = logging.getLogger(f"{__name__}.paho")
_silent.setLevel(logging.CRITICAL)  # its errors are raised as well, with a readable reason


class BrokerClient(aiomqtt.Client):
    """aiomqtt's client, but raises MqttCodeError for a message or a subscription that the broker refuses.

    Messages that are published in one turn of the event loop are sent together. That saves tasks and system calls. When
    the connection is lost, all who wait for an answer of the broker get an error at once.
    """

    def __init__(
        self, broker: Address, client_id: str, *, login: Login = ANONYMOUS, will: aiomqtt.Will | None = None
    ) -> None:
        """Prepare the client; `connection` connects it. Raises BrokerError for unusable certificates."""
        self._tls = None if login.tls is None else login.tls.context()
        self._answers: dict[int, asyncio.Future[ReasonCode | None]] = {}
        self._posted: set[int] = set()
        self._unsent = 0
        self._given_up = False
        self._awaits_socket = False
        self._loop_thread = threading.get_ident()
        super().__init__(
            broker.host,
            broker.port,
            username=login.username,
            password=login.password,
            tls_context=self._tls,
            logger=_silent,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            keepalive=BROKER_KEEPALIVE_S,
            will=will,
            queue_type=cast("Any", Arrivals),
            max_queued_incoming_messages=MAX_QUEUED_MESSAGES,
            max_queued_outgoing_messages=MAX_QUEUED_MESSAGES,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        self._client.disable_logger()  # paho would ask it three times for each message whether it logs anything
        self.pending_calls_threshold = MAX_PENDING_CALLS

    @contextlib.asynccontextmanager
    async def connection(self, on_lost: Callable[[], None] | None = None) -> AsyncIterator[None]:
        """Connect, and disconnect at the end. Raises MqttError, and BrokerError for an invalid host or failed TLS.

        `on_lost` is called when the connection is lost or closed.
        """
        try:
            await self.__aenter__()
        except BaseException as error:
            self._given_up = True
            # A broker that hangs would accept the client later, and publish its will.
            self._client.disconnect()
            if self._tls is not None:
                self._tls.close_socket()
            if isinstance(error, ValueError | OverflowError):  # aiomqtt wraps OSErrors only
                raise BrokerError(network_reason(error)) from error
            if self._tls is not None and isinstance(error.__context__, ssl.SSLEOFError | ConnectionResetError):
                raise BrokerError(ENDED_TLS) from error
            raise
        self._disconnected.add_done_callback(lambda ended: self._on_lost(ended, on_lost))
        try:
            yield
        finally:
            await self.__aexit__(None, None, None)

    async def next_message(self) -> aiomqtt.Message:
        """Return the next received message. Raises MqttError when the connection is lost and no message is left."""
        return await self._queue.get()

    @property
    def waiting(self) -> int:
        """Return the number of received messages that `next_message` has not returned yet."""
        return cast("Arrivals[aiomqtt.Message]", self._queue).qsize()

    async def subscribe_checked(self, topic_filter: str, qos: int) -> None:
        """Subscribe. Raises MqttError."""
        (granted,) = await self.subscribe(topic_filter, qos=qos)
        if not isinstance(granted, int) and granted.is_failure:
            raise aiomqtt.MqttCodeError(granted)

    async def subscribe_commands(self, topic_filter: str, qos: int) -> None:
        """Subscribe to commands of other clients: live messages only, with their retain flag. Raises MqttError.

        Our own messages do not come back, so `clear_retained` does not call our handler.
        """
        options = SubscribeOptions(qos=qos, noLocal=True, retainAsPublished=True, retainHandling=2)
        (granted,) = await self.subscribe(topic_filter, options=options)
        if not isinstance(granted, int) and granted.is_failure:
            raise aiomqtt.MqttCodeError(granted)

    def clear_retained(self, topic: str) -> None:
        """Clear the retained message of a topic, without waiting for the broker. Raises MqttError."""
        self._send(topic, b"", 0, retain=True, properties=None)

    async def publish_checked(
        self, topic: str, payload: bytes, qos: int, *, retain: bool, properties: Properties | None = None
    ) -> None:
        """Publish, and with QoS 1 wait for the acknowledgement. Raises MqttError.

        aiomqtt's own `publish` ignores the reason code of the acknowledgement. With QoS 0 there is no acknowledgement:
        such a message waits until the socket takes it, and only while MAX_POSTED others wait for the socket, too.
        """
        if qos == 0 and not retain and self.posted < MAX_POSTED:
            self.post(topic, payload, properties=properties)
            return
        info = self._send(topic, payload, qos, retain=retain, properties=properties)
        if info.is_published():
            return
        answer = self._answers[info.mid] = self._loop.create_future()
        timer = self._loop.call_later(self.timeout, _time_out, answer)
        try:
            refused = await answer
        finally:
            timer.cancel()
            del self._answers[info.mid]
        if refused is not None:
            raise aiomqtt.MqttCodeError(refused)

    @property
    def posted(self) -> int:
        """Return the number of messages of `post` that the socket has not taken yet."""
        return len(self._posted)

    def post(self, topic: str, payload: bytes, *, properties: Properties | None = None) -> None:
        """Publish with QoS 0, without waiting; the caller limits `posted`. Raises MqttError."""
        self._posted.add(self._send(topic, payload, 0, retain=False, properties=properties).mid)

    def _send(
        self, topic: str, payload: bytes, qos: int, *, retain: bool, properties: Properties | None
    ) -> paho.MQTTMessageInfo:
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc)
        self._unsent += 1
        return info

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,  # noqa: ANN401  (paho's)
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._given_up:
            return
        if not self._connected.done():  # aiomqtt would wait for a CONNACK that cannot come any more
            self._connected.set_exception(BrokerError(ENDED_UNANSWERED if self._tls is None else ENDED_UNANSWERED_TLS))
        else:
            super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self,
        client: paho.Client,  # noqa: ARG002
        userdata: Any,  # noqa: ANN401, ARG002  (paho's)
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,  # noqa: ARG002
    ) -> None:
        self._posted.discard(mid)
        answer = self._answers.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(reason_code if reason_code.is_failure else None)

    def _on_lost(self, ended: asyncio.Future[None], on_lost: Callable[[], None] | None) -> None:
        lost = aiomqtt.MqttError(CONNECTION_LOST)
        lost.__cause__ = None if ended.cancelled() else ended.exception()
        cast("Arrivals[aiomqtt.Message]", self._queue).close(lost)
        unanswered: tuple[asyncio.Future[Any], ...] = (*self._answers.values(), *self._pending_subscribes.values())
        for waiting in unanswered:
            if not waiting.done():  # its answer cannot come on another connection
                waiting.set_exception(aiomqtt.MqttError(CONNECTION_LOST))
        if on_lost is not None:
            on_lost()

    def _on_socket_open(self, client: paho.Client, userdata: Any, sock: Any) -> None:  # noqa: ANN401  (paho's)
        super()._on_socket_open(client, userdata, sock)
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._read, sock)  # instead of aiomqtt's

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:  # noqa: ANN401
        if threading.get_ident() == self._loop_thread:
            self._loop.call_soon(self._write, sock)
        else:  # while it connects
            self._awaits_socket = True
            super()._on_socket_register_write(client, userdata, sock)

    def _on_socket_unregister_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:  # noqa: ANN401
        if self._awaits_socket:
            self._awaits_socket = False
            super()._on_socket_unregister_write(client, userdata, sock)

    def _read(self, sock: socket.socket) -> None:
        """Read the packets that have come."""
        with self._ending_when_broken():
            for _ in range(MAX_PACKETS_AT_ONCE):
                self._client.loop_read()
                if not _has_more(sock):
                    return
            self._loop.call_soon(self._read, sock)  # TLS may have read more from the socket than it has passed on

    def _write(self, sock: socket.socket) -> None:
        """Write all packets that wait; what the socket does not take now follows when it is writable again."""
        several, self._unsent = self._unsent > 1, 0
        with self._ending_when_broken(), _few_segments(sock) if several else contextlib.nullcontext():
            self._client.loop_write()
        if self._client.want_write() and self._client.socket() is not None:
            self._awaits_socket = True
            super()._on_socket_register_write(self._client, None, sock)

    @contextlib.contextmanager
    def _ending_when_broken(self) -> Iterator[None]:
        """End the connection with any error that occurs in this context, as aiomqtt does."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (passed on to all who wait)
            if not self._disconnected.done():
                self._disconnected.set_exception(error)


@functools.cache  # there are a handful of values, and paho-mqtt's class is slow
def expiry_properties(expiry_s: int | None) -> Properties | None:
    """Return the properties of a message that the broker drops after this time; None for one that never expires."""
    if expiry_s is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expiry_s
    return properties


def _time_out(answer: asyncio.Future[ReasonCode | None]) -> None:
    """End the wait for an acknowledgement that has not come."""
    if not answer.done():
        answer.set_exception(aiomqtt.MqttError(NO_ANSWER))


def _has_more(sock: socket.socket) -> bool:
    """Return whether something can be read without waiting; also at the end of the connection."""
    try:
        if isinstance(sock, ssl.SSLSocket):
            return sock.pending() > 0
        sock.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # nothing there, or closed meanwhile
        return False
    return True


@contextlib.contextmanager
def _few_segments(sock: socket.socket) -> Iterator[None]:
    """Send what is written in this context in few TCP segments, because each one wakes the broker (Linux only)."""
    cork = getattr(socket, "TCP_CORK", None)
    if cork is None:
        yield
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, cork, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the connection may be closed now
            sock.setsockopt(socket.IPPROTO_TCP, cork, 0)
