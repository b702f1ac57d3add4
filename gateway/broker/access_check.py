"""Checks, by sending and receiving test messages, what a login can read and write at the gateway's own broker.

The answers to subscriptions do not tell: Mosquitto grants even those for which it will deliver nothing. The messages
are empty and not retained, and receivers ignore them.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, NamedTuple

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.broker.access import Access, Rule, allows
from shared.errors import BrokerError
from shared.mqtt.broker_client import BrokerClient
from shared.mqtt.topic_kinds import DEFAULT_PREFIX
from shared.mqtt.topics import TOPIC_TABLE
from shared.reasons.broker_reasons import broker_reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from shared.mqtt.broker_login import Login
    from shared.network.addresses import Address

CHECK_NAME = "~check"
"""The name of the logins that are used for checking; neither a node nor a user can have it."""

STRANGER_NAME = "~other"
"""The name of another node or user in topics, to which the checked login must have no access."""

CHECK_TIMEOUT_S = 10.0
"""Time for all messages of one check, which take some ten milliseconds."""

BROKER_TOPICS = "$SYS/#"
"""The broker's statistics, with the addresses and ids of its clients: nobody may read them."""


class AccessProbe(NamedTuple):
    """A login to check, with the rules that it should have."""

    broker: Address
    login: Login
    rules: Collection[Rule]


class AccessFault(NamedTuple):
    """A topic that a login can read or write although it must not (`allowed`), or cannot although it should."""

    user: str
    access: Access
    topic: str
    allowed: bool

    def __str__(self) -> str:
        can = "can" if self.allowed else "cannot"
        return f"login {self.user!r} {can} {self.access.value} {self.topic}"


def topics_to_check(rules: Collection[Rule], prefix: str = DEFAULT_PREFIX) -> list[str]:
    """Return the topics to try: those of the rules, and all of the table, each with CHECK_NAME and STRANGER_NAME."""
    found = [rule.topic.replace("+", CHECK_NAME).replace("#", CHECK_NAME) for rule in rules]
    for topic in TOPIC_TABLE:
        names = topic.path.count("{")
        found += [topic.full_path(*[name] * names, prefix=prefix) for name in (CHECK_NAME, STRANGER_NAME)]
    return list(dict.fromkeys(found))


async def check_access(
    broker: Address, gateway: Login, probe: AccessProbe, prefix: str = DEFAULT_PREFIX
) -> list[AccessFault]:
    """Return the topics at which the login of `probe` can do more or less than its rules say.

    `gateway` is the gateway's login, which has access to all topics. Raises BrokerError if one of the two logins is
    refused, or the broker does not answer.
    """
    paths = topics_to_check(probe.rules, prefix)
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            async with _client(broker, gateway) as ours, _client(probe.broker, probe.login) as checked:
                readable = await _readable_topics(ours, checked, paths)
                writable = {path for path in paths if await _accepts_message(checked, path)}
    except TimeoutError:
        raise BrokerError(f"broker {broker} did not answer while its access rules were checked") from None
    except aiomqtt.MqttError as error:
        raise BrokerError(f"broker {broker}: its access rules cannot be checked: {broker_reason(error)}") from error
    user = probe.login.username or ""
    return [
        AccessFault(user, access, path, allowed=path in found)
        for access, found in ((Access.READ, readable), (Access.WRITE, writable))
        for path in dict.fromkeys((*paths, *found))
        if (path in found) is not allows(probe.rules, access, path)
    ]


@contextlib.asynccontextmanager
async def _client(broker: Address, login: Login) -> AsyncIterator[BrokerClient]:
    client = BrokerClient(broker, f"deepthings-check-{secrets.token_hex(8)}", login=login)
    async with client.connection():
        yield client


async def _readable_topics(ours: BrokerClient, checked: BrokerClient, paths: Collection[str]) -> set[str]:
    """Return the topics of which the checked client receives our messages, and those of $SYS that it receives."""
    mark, found = secrets.token_hex(8), set()
    for path in (*paths, BROKER_TOPICS):  # QoS 0, so that nothing waits for an acknowledgement
        await checked.subscribe_checked(path, 0)
    for path in paths:
        await ours.publish_checked(path, b"", 1, retain=False, properties=_marked(mark))
    await checked.subscribe_checked(CHECK_NAME, 0)  # answered after all messages above have been delivered
    while checked.waiting:
        message = await checked.next_message()
        if _mark_of(message) == mark or str(message.topic).startswith("$"):
            found.add(str(message.topic))
    return found


async def _accepts_message(checked: BrokerClient, path: str) -> bool:
    """Return whether the broker accepts a message from the checked client."""
    try:
        await checked.publish_checked(path, b"", 1, retain=False)
    except aiomqtt.MqttCodeError:
        return False
    return True


def _marked(mark: str) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.UserProperty = [(CHECK_NAME, mark)]
    return properties


def _mark_of(message: aiomqtt.Message) -> str | None:
    return dict(getattr(message.properties, "UserProperty", [])).get(CHECK_NAME)
