"""One connection with a broker: MQTT 5 by aiomqtt, closed cleanly, and told what the broker does not allow."""

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
"""The broker sends the will of a client that vanished without a word after 1.5 times this."""

MAX_QUEUED_MESSAGES = 2000
"""Unread messages: some hundred frames' worth; a client that is further behind may lose the rest."""

MAX_PENDING_CALLS = 500
"""Messages under way to the broker: it answers in a millisecond; when it does not, more of them help nobody."""

ENDED_UNANSWERED = "it ended the connection without an answer (is that a broker's port, and not one that wants TLS?)"
ENDED_UNANSWERED_TLS = "it ended the connection without an answer (does it want a certificate of ours, or another one?)"
ENDED_TLS = "it ended the connection instead of encrypting it (does it speak TLS on that port?)"

_silent = logging.getLogger(f"{__name__}.paho")
_silent.setLevel(logging.CRITICAL)  # what went wrong is raised, too, and said in words


class BrokerClient(aiomqtt.Client):
    """aiomqtt's client; a message or a subscription that the broker does not take raises MqttCodeError."""

    def __init__(
        self, broker: Address, client_id: str, *, login: Login = ANONYMOUS, will: aiomqtt.Will | None = None
    ) -> None:
        """Connect nothing yet. Raises BrokerError for certificates that cannot be used."""
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
        """Connect, and disconnect at the end. Raises MqttError, and BrokerError for a host that cannot be."""
        try:
            await self.__aenter__()
        except BaseException as error:
            self._given_up = True
            self._client.disconnect()  # a broker that hangs would find half a client, and tell its will
            if self._tls is not None:
                self._tls.close_socket()
            if isinstance(error, ValueError | OverflowError):  # aiomqtt makes errors of its own only of the system's
                raise BrokerError(network_reason(error)) from error
            if self._tls is not None and isinstance(error.__context__, ssl.SSLEOFError | ConnectionResetError):
                raise BrokerError(ENDED_TLS) from error
            raise
        try:
            yield
        finally:
            await self.__aexit__(None, None, None)
            if self._disconnected.done() and not self._disconnected.cancelled():
                self._disconnected.exception()  # asked why, or asyncio complains that nobody did

    async def subscribe_checked(self, topic_filter: str, qos: int) -> None:
        """Subscribe. Raises MqttError."""
        (granted,) = await self.subscribe(topic_filter, qos=qos)
        if not isinstance(granted, int) and granted.is_failure:
            raise aiomqtt.MqttCodeError(granted)

    async def publish_checked(
        self, topic: str, payload: bytes, qos: int, *, retain: bool, properties: Properties | None = None
    ) -> None:
        """Publish, and wait until the broker has it (QoS 1). Raises MqttError.

        aiomqtt's own `publish` does not say what the broker answered.
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
            return  # nobody waits any more
        if not self._connected.done():  # aiomqtt would wait for an answer that cannot come any more
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
