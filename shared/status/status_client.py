"""An MQTT client that receives the retained messages of a gateway, once or continuously."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiomqtt

from shared.errors import BrokerError
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.identity import new_instance
from shared.mqtt.refused_login import refusal_message
from shared.reasons.broker_reasons import broker_reason, is_refusal
from shared.status.cluster_facts import STATUS_TOPICS, ClusterFacts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from shared.network.addresses import Address

STATUS_ANSWER_TIMEOUT_S = 5.0
"""Timeout of the connection; a broker in the local network answers much sooner."""

RETAINED_TIMEOUT_S = 3.0
"""Time in which all retained messages come; a topic without a message by then has none."""

RETAINED_PAUSE_S = 0.3
"""After a pause of this length there are no more retained messages."""


async def watch_cluster(
    broker: Address, prefix: str, period_s: float, login: Login = ANONYMOUS
) -> AsyncGenerator[ClusterFacts, None]:
    """Yield the facts when all retained messages have come, then again every `period_s`. Raises BrokerError."""
    facts = ClusterFacts(prefix)
    try:
        async with aiomqtt.Client(
            broker.host, broker.port, identifier=f"deepthings-status-{new_instance()}",
            protocol=aiomqtt.ProtocolVersion.V5, timeout=STATUS_ANSWER_TIMEOUT_S, username=login.username,
            password=login.password, tls_context=None if login.tls is None else login.tls.context(),
        ) as client:  # fmt: skip
            arrived = asyncio.Event()
            reading = asyncio.create_task(_read(client, facts, arrived))
            try:
                for topic in STATUS_TOPICS:  # QoS 0: without acknowledgements, all messages come at once
                    await client.subscribe(topic.full_path(prefix=prefix), qos=0)
                await _wait_for_retained(facts, arrived)
                while True:
                    yield facts
                    await asyncio.wait([reading], timeout=period_s)
                    if reading.done():
                        reading.result()
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
    except (aiomqtt.MqttError, OSError, ValueError, OverflowError) as error:
        raise BrokerError(_error_text(broker, error, login)) from error


async def _read(client: aiomqtt.Client, facts: ClusterFacts, arrived: asyncio.Event) -> None:
    async for message in client.messages:
        if isinstance(message.payload, bytes):
            facts.on_message(str(message.topic), message.payload)
        if message.retain:
            arrived.set()


async def _wait_for_retained(facts: ClusterFacts, arrived: asyncio.Event) -> None:
    """Wait until all retained messages have come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RETAINED_TIMEOUT_S):
            while arrived.is_set() or not facts.complete:
                arrived.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETAINED_PAUSE_S):
                        await arrived.wait()


def _error_text(broker: Address, error: BaseException, login: Login) -> str:
    if is_refusal(error):
        return refusal_message(broker, login, broker_reason(error))
    return (
        f"broker {broker} not reached: {broker_reason(error)}; start the gateway there with 'deepthings gateway', and "
        "--listen 0.0.0.0 for other devices, or name the right one with --gateway HOST"
    )
