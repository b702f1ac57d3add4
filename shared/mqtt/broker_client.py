"""One MQTT 5 connection by aiomqtt, which closes cleanly and reports everything that the broker refuses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiomqtt
from paho.mqtt import client as paho

from shared.errors import BrokerError
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.reasons.network_reasons import network_reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from shared.network.addresses import Address

BROKER_KEEPALIVE_S = 10
"""The broker publishes the will of a silent client after 1.5 times this."""

MAX_QUEUED_MESSAGES = 2000
"""Unread messages, those of about a hundred frames; a client that is further behind loses the rest."""

MAX_PENDING_CALLS = 500
"""Messages that wait for the broker's acknowledgement. It normally takes a millisecond; more would not help."""

ENDED_UNANSWERED = "it closed the connection without an answer (is it a broker's port, and does it require TLS?)"
ENDED_UNANSWERED_TLS = "it closed the connection without an answer (does it require a client certificate, or another?)"
ENDED_TLS = "it closed the connection instead of encrypting it (does it speak TLS on that port?)"

_silent = logging.getLogger(f"{__name__}.paho")
_silent.setLevel(logging.CRITICAL)  # its errors are raised as well, with a readable reason


class BrokerClient(aiomqtt.Client):
    """aiomqtt's client, but raises MqttCodeError for a message or a subscription that the broker refuses."""

    def __init__(
        self, broker: Address, client_id: str, *, login: Login = ANONYMOUS, will: aiomqtt.Will | None = None
    ) -> None:
        """Prepare the client; `connection` connects it. Raises BrokerError for unusable certificates."""
        self._tls = None if login.tls is None else login.tls.context()
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
            max_queued_incoming_messages=MAX_QUEUED_MESSAGES,
            max_queued_outgoing_messages=MAX_QUEUED_MESSAGES,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        self.pending_calls_threshold = MAX_PENDING_CALLS
        self._refused: dict[int, ReasonCode] = {}
        self._given_up = False

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """Connect, and disconnect at the end. Raises MqttError, and BrokerError for an invalid host or failed TLS."""
        try:
            await self.__aenter__()
        except BaseException as error:
            self._given_up = True
            self._client.disconnect()  # else a broker that hangs accepts the client later and publishes its will
            if self._tls is not None:
                self._tls.close_socket()
            if isinstance(error, ValueError | OverflowError):  # aiomqtt wraps OSErrors only
                raise BrokerError(network_reason(error)) from error
            if self._tls is not None and isinstance(error.__context__, ssl.SSLEOFError | ConnectionResetError):
                raise BrokerError(ENDED_TLS) from error
            raise
        try:
            yield
        finally:
            await self.__aexit__(None, None, None)
            if self._disconnected.done() and not self._disconnected.cancelled():
                self._disconnected.exception()  # retrieved, or asyncio logs that it never was

    async def subscribe_checked(self, topic_filter: str, qos: int) -> None:
        """Subscribe. Raises MqttError."""
        (granted,) = await self.subscribe(topic_filter, qos=qos)
        if not isinstance(granted, int) and granted.is_failure:
            raise aiomqtt.MqttCodeError(granted)

    async def publish_checked(
        self, topic: str, payload: bytes, qos: int, *, retain: bool, properties: Properties | None = None
    ) -> None:
        """Publish, and with QoS 1 wait for the acknowledgement. Raises MqttError.

        aiomqtt's own `publish` ignores the reason code of the acknowledgement.
        """
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc)
        if info.is_published():
            return
        confirmation = asyncio.Event()
        try:
            with self._pending_call(info.mid, confirmation, self._pending_publishes):
                await self._wait_for(confirmation.wait(), timeout=None)
        finally:
            refused = self._refused.pop(info.mid, None)
        if refused is not None:
            raise aiomqtt.MqttCodeError(refused)

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
        client: paho.Client,
        userdata: Any,  # noqa: ANN401  (paho's)
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.is_failure and mid in self._pending_publishes:
            self._refused[mid] = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)
