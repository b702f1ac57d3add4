"""The parts of a topic: path, payload, description, writer, QoS, retain, expiry and plane."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from shared.payloads.base import Message

M = TypeVar("M", bound=Message)

DEFAULT_PREFIX = "deepthings"
"""The first level of all topics, unless `mqtt.topic_prefix` is another."""


class Plane(Enum):
    """The broker that carries a topic, if the home has a broker beside the gateway's own."""

    PUBLIC = auto()
    """The broker of the home."""
    CLUSTER = auto()
    """The gateway's own broker, which the edges use."""
    BOTH = auto()
    """Both, so that the cluster can be observed from its edges, too."""


class Writer(Enum):
    """The process that publishes to a topic.

    The gateway also publishes for edges: to the home's broker, and the last state of an edge that is lost.
    """

    GATEWAY = "gateway"
    EDGE = "edge"
    ANYBODY = "anybody"
    """People, automations and other programs; the gateway subscribes."""


class EdgeReads(Enum):
    """The topics of one entry that an edge with a login may read."""

    NOTHING = auto()
    OWN = auto()
    """The topic in which `{node}` is its own name."""
    EVERY = auto()
    """The topics of all names."""


class _Route:
    """The path of a topic below a prefix; levels in braces are names."""

    path: str
    root: str | None

    def full_path(self, *names: str, prefix: str = DEFAULT_PREFIX) -> str:
        """Return the full topic for these names; a missing name becomes `+`, any name."""
        remaining = iter(names)
        levels = [next(remaining, "+") if level.startswith("{") else level for level in self.path.split("/")]
        return "/".join([self.root or prefix, *levels])

    def names_in(self, full_topic: str, prefix: str = DEFAULT_PREFIX) -> tuple[str, ...]:
        """Return the names in a full topic. Raises ValueError for a topic with another number of levels."""
        levels = full_topic.split("/")[(self.root or prefix).count("/") + 1 :]
        return tuple(name for name, level in zip(levels, self.path.split("/"), strict=True) if level.startswith("{"))


@dataclass(frozen=True, slots=True)
class Topic(_Route, Generic[M]):
    """A topic whose payload is a message, as JSON. In topics of other programs `root` replaces the prefix.

    QoS is 0 for messages that leases or new requests repeat when they are lost, because acknowledgements cost small
    devices time.
    """

    path: str
    message: type[M]
    description: str = ""
    writer: Writer = Writer.GATEWAY
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    root: str | None = None
    plane: Plane = Plane.PUBLIC
    edge_reads: EdgeReads = EdgeReads.NOTHING


@dataclass(frozen=True, slots=True)
class PlainTopic(_Route):
    """A topic with another payload than a message. `content` describes it for people; `payload` is its Python type."""

    path: str
    content: str
    description: str = ""
    payload: Any = None
    writer: Writer = Writer.GATEWAY
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    root: str | None = None
    plane: Plane = Plane.PUBLIC
    edge_reads: EdgeReads = EdgeReads.NOTHING


AnyTopic = Topic[Any] | PlainTopic


def foreign_topic(topic: str, *, retain: bool, qos: int = 1) -> PlainTopic:
    """Return the topic of another program, such as Home Assistant, from its full path."""
    root, _, path = topic.partition("/")
    return PlainTopic(path, "", qos=qos, retain=retain, root=root)
