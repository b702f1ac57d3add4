"""The retained messages from which Home Assistant learns of our devices. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.configuration.cameras import BY_HAND
from gateway.integrations.home_assistant.camera_device import camera_device
from gateway.integrations.home_assistant.encoding import DiscoveryMessage, encode_device
from gateway.integrations.home_assistant.gateway_device import gateway_device
from gateway.integrations.home_assistant.node_device import node_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gateway.configuration.cameras import Camera
    from gateway.configuration.root import Configuration
    from gateway.integrations.home_assistant.device import Device
    from shared.payloads.cluster import Nodes

MAX_ANNOUNCED_NODES = 256
"""More edges than any home has; a client that invents names does not fill Home Assistant with devices."""

REMEMBERED_CAP = 256
"""Devices of each kind whose messages are kept, some 20 KB each: they are asked for every second, and seldom change."""


def discovery(
    configuration: Configuration,
    nodes: Nodes,
    version: str,
    labels: Mapping[str, Sequence[str]] | None = None,
    by_hand: Iterable[str] = (),
) -> dict[str, str]:
    """Payloads by topic, in the order in which they are to be published: gateway, nodes, cameras.

    `labels` are those that are followed now, by camera, where they are not those of the configuration. Cameras that
    were started `by_hand` come last. Empty where Home Assistant is not to be told anything.
    """
    if not configuration.home_assistant.enabled:
        return {}
    told = _all(configuration, nodes, version, labels or {}, by_hand)
    return {f"{configuration.home_assistant.discovery_prefix}/{topic}": payload for topic, payload in told}


def _all(
    configuration: Configuration,
    nodes: Nodes,
    version: str,
    labels: Mapping[str, Sequence[str]],
    by_hand: Iterable[str],
) -> Iterator[DiscoveryMessage]:
    terms = _Terms(configuration.mqtt.topic_prefix, version, configuration.home_assistant.per_entity)
    yield from _gateway(terms)
    for name in sorted(nodes.nodes)[:MAX_ANNOUNCED_NODES]:
        yield from _node(terms, name, nodes.nodes[name].version)
    for name, camera in {**configuration.cameras, **dict.fromkeys(by_hand, BY_HAND)}.items():
        followed = labels.get(name, (camera.objects or configuration.objects).track)
        yield from _camera(terms, name, _Held(camera), tuple(followed))


@dataclass(frozen=True, slots=True)
class _Terms:
    """What all messages depend on."""

    prefix: str
    version: str
    per_entity: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A camera's section as a key: it does not change, so it is equal to none but itself."""

    camera: Camera

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.camera is self.camera

    def __hash__(self) -> int:
        return id(self.camera)


@lru_cache(maxsize=REMEMBERED_CAP)
def _gateway(terms: _Terms) -> tuple[DiscoveryMessage, ...]:
    return _encoded(terms, gateway_device(terms.prefix, terms.version))


@lru_cache(maxsize=REMEMBERED_CAP)
def _node(terms: _Terms, name: str, version: str) -> tuple[DiscoveryMessage, ...]:
    return _encoded(terms, node_device(terms.prefix, name, version))


@lru_cache(maxsize=REMEMBERED_CAP)
def _camera(terms: _Terms, name: str, held: _Held, labels: tuple[str, ...]) -> tuple[DiscoveryMessage, ...]:
    return _encoded(terms, camera_device(terms.prefix, name, held.camera, labels))


def _encoded(terms: _Terms, device: Device) -> tuple[DiscoveryMessage, ...]:
    return tuple(encode_device(device, terms.version, per_entity=terms.per_entity))
