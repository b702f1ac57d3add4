"""Rules of the gateway's own broker: who may read and write what, in the format of Mosquitto's ACL file. Pure.

The rules are computed from the table of topics. They use no patterns of Mosquitto: a rule names the edge or the user
for which it applies. Mosquitto answers every subscription with "granted", but then delivers only messages of topics
that the client may read.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from gateway.broker.logins import GATEWAY_LOGIN
from shared.mqtt.client_ids import OWN_NODE, edge_login_name
from shared.mqtt.topic_kinds import DEFAULT_PREFIX, EdgeReads, Plane, Writer
from shared.mqtt.topics import TOPIC_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.mqtt.topic_kinds import AnyTopic


class Access(Enum):
    """The kinds of access that a rule allows, in Mosquitto's words."""

    READ = "read"
    WRITE = "write"
    READ_AND_WRITE = "readwrite"


class Rule(NamedTuple):
    """One line of the ACL file: a kind of access to the topics that match a filter."""

    access: Access
    topic: str

    def __str__(self) -> str:
        return f"topic {self.access.value} {self.topic}"


class PublicTopics(NamedTuple):
    """The first levels of topics for people and automations: ours, Home Assistant's and Frigate's; None: not used."""

    prefix: str = DEFAULT_PREFIX
    discovery: str | None = None
    frigate: str | None = None


EVERYTHING = (Rule(Access.READ_AND_WRITE, "#"),)
"""The rules of the gateway, and of all clients of a broker that listens on loopback only. `#` does not include $SYS."""


def edge_rules(name: str, prefix: str = DEFAULT_PREFIX) -> tuple[Rule, ...]:
    """Return the rules of an edge: it writes its own topics, and reads its own and those that are for every edge.

    The gateway's own node may also follow detections: commands on the gateway's machine use its login.
    """
    rules = _edge_rules(name, prefix)
    return tuple(rules + _watching_rules(prefix) if name == OWN_NODE else rules)


def any_edge_rules(prefix: str = DEFAULT_PREFIX) -> tuple[Rule, ...]:
    """Return the rules of clients without a login: edges of any name, and commands that follow detections."""
    return tuple(_edge_rules("+", prefix) + _watching_rules(prefix))


def user_rules(public: PublicTopics, *, may_change: bool = True) -> tuple[Rule, ...]:
    """Return the rules of people and automations: they read the public topics.

    With `may_change` they also set cameras and send requests.
    """
    found = []
    for topic in TOPIC_TABLE:
        path = topic.full_path(prefix=public.prefix)
        if topic.writer is Writer.ANYBODY:
            found.append(Rule(Access.WRITE, path))
        elif topic.plane is not Plane.CLUSTER and not topic.path.startswith("cluster/"):
            found.append(Rule(Access.READ, path))
    if public.discovery is not None:
        found.append(Rule(Access.READ, f"{public.discovery}/#"))
        found.append(Rule(Access.WRITE, f"{public.discovery}/status"))  # Home Assistant says that it has started
    if public.frigate is not None:
        found.append(Rule(Access.READ, f"{public.frigate}/#"))
        found.append(Rule(Access.WRITE, f"{public.frigate}/+/detect/set"))
    return tuple(dict.fromkeys(rule for rule in found if may_change or rule.access is Access.READ))


def allows(rules: Iterable[Rule], access: Access, topic: str) -> bool:
    """Return whether rules allow an access, READ or WRITE, to a topic."""
    return any(rule.access in {access, Access.READ_AND_WRITE} and _matches(rule.topic, topic) for rule in rules)


def rules_file(anonymous: Iterable[Rule], users: dict[str, Iterable[Rule]]) -> str:
    """Return an ACL file: the rules of clients without a login first, then those of each user by name."""
    lines = [str(rule) for rule in anonymous]
    for name, rules in sorted(users.items()):
        lines += ["", f"user {name}", *(str(rule) for rule in rules)]
    return "\n".join([*lines, ""])


def gateway_rules_file(anonymous: Iterable[Rule]) -> str:
    """Return the ACL file of the listener in plain text, for the gateway (any access) and clients without a login."""
    return rules_file(anonymous, {GATEWAY_LOGIN: EVERYTHING})


def edge_rules_file(names: Iterable[str], prefix: str) -> str:
    """Return the ACL file of the encrypted listener, for the edges of these names."""
    return rules_file((), {edge_login_name(name): edge_rules(name, prefix) for name in names})


def user_rules_file(users: Mapping[str, bool], public: PublicTopics, anonymous: Iterable[Rule]) -> str:
    """Return the ACL file of the listeners for people and automations.

    `users`: by name, whether the user may set cameras and send requests. `anonymous`: rules of clients without a login.
    """
    rules = {may_change: user_rules(public, may_change=may_change) for may_change in (True, False)}
    return rules_file(anonymous, {name: rules[may_change] for name, may_change in users.items()})


def _watching_rules(prefix: str) -> list[Rule]:
    """Return the rules for following detections at the edges' broker."""
    return [
        Rule(Access.READ, topic.full_path(prefix=prefix))
        for topic in TOPIC_TABLE
        if topic.plane is Plane.BOTH and topic.writer is Writer.GATEWAY and topic.edge_reads is EdgeReads.NOTHING
    ]


def _edge_rules(name: str, prefix: str) -> list[Rule]:
    found = []
    for topic in TOPIC_TABLE:
        reads = topic.edge_reads is not EdgeReads.NOTHING
        if topic.writer is Writer.EDGE:
            # Edges with a login report on cameras in topics of their own; the gateway publishes the cameras' topics.
            if name != "+" and "{node}" not in topic.path:
                found += [Rule(Access.READ, topic.full_path(prefix=prefix))] if reads else []
                continue
            own = _path_of(topic, name, prefix)
            everywhere = topic.full_path(prefix=prefix)
            if reads and topic.edge_reads is EdgeReads.EVERY and own != everywhere:
                found += [Rule(Access.WRITE, own), Rule(Access.READ, everywhere)]
            else:
                found.append(Rule(Access.READ_AND_WRITE if reads else Access.WRITE, own))
        elif topic.edge_reads is EdgeReads.OWN:
            found.append(Rule(Access.READ, _path_of(topic, name, prefix)))
        elif reads:
            found.append(Rule(Access.READ, topic.full_path(prefix=prefix)))
    return found


def _path_of(topic: AnyTopic, node: str, prefix: str) -> str:
    """Return the topic filter of a node; other names in the topic, such as those of cameras, become wildcards (+)."""
    levels = topic.path.split("/")
    names = [node if level == "{node}" else "+" for level in levels if level.startswith("{")]
    return topic.full_path(*names, prefix=prefix)


def _matches(topic_filter: str, topic: str) -> bool:
    """Return whether a filter of MQTT matches a topic."""
    if topic.startswith("$") and not topic_filter.startswith("$"):
        return False
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(each in {"+", level} for each, level in zip(wanted, levels, strict=True))
