"""Makes the retained messages by which Home Assistant discovers our devices. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.configuration.cameras import UNCONFIGURED_CAMERA
from gateway.integrations.home_assistant.camera_device import camera_device
from gateway.integrations.home_assistant.encoding import encode_device
from gateway.integrations.home_assistant.gateway_device import gateway_device
from gateway.integrations.home_assistant.node_device import node_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gateway.configuration.root import Configuration
    from gateway.integrations.home_assistant.device import Device
    from shared.payloads.cluster import Nodes

MAX_ANNOUNCED_NODES = 256
"""Edges that are announced: more than any home has. It bounds the devices that a faulty client can invent."""


class DiscoveryCache:
    """Keeps the last discovery messages, which are needed every second, take long to make, and seldom change."""

    def __init__(self) -> None:
        self._sources: tuple[object, ...] = ()
        self._messages: Mapping[str, str] = {}

    def messages(
        self,
        configuration: Configuration,
        nodes: Nodes,
        version: str,
        labels: Mapping[str, Sequence[str]],
        by_hand: Sequence[str],
    ) -> Mapping[str, str]:
        """Return what `discovery` returns for these arguments; it is called only if they have changed."""
        versions = {name: node.version for name, node in nodes.nodes.items()}
        followed = {name: tuple(chosen) for name, chosen in labels.items()}
        sources = (configuration, versions, version, followed, by_hand)
        if sources != self._sources:
            self._messages = discovery(configuration, nodes, version, labels, by_hand)
            self._sources = sources
        return self._messages


def discovery(
    configuration: Configuration,
    nodes: Nodes,
    version: str,
    labels: Mapping[str, Sequence[str]] | None = None,
    by_hand: Iterable[str] = (),
) -> dict[str, str]:
    """Return the discovery payloads by topic, in the order in which to publish them: gateway, nodes, cameras.

    `labels` are the followed labels by camera, for cameras where they differ from the configuration. Cameras that were
    started `by_hand` come last. The result is empty if the integration of Home Assistant is switched off.
    """
    if not configuration.home_assistant.enabled:
        return {}
    prefix, per_entity = configuration.home_assistant.discovery_prefix, configuration.home_assistant.per_entity
    return {
        f"{prefix}/{topic}": payload
        for device in _devices(configuration, nodes, version, labels or {}, by_hand)
        for topic, payload in encode_device(device, version, per_entity=per_entity)
    }


def _devices(
    configuration: Configuration,
    nodes: Nodes,
    version: str,
    labels: Mapping[str, Sequence[str]],
    by_hand: Iterable[str],
) -> Iterator[Device]:
    prefix = configuration.mqtt.topic_prefix
    yield gateway_device(prefix, version, tuple(configuration.profiles))
    for name in sorted(nodes.nodes)[:MAX_ANNOUNCED_NODES]:
        yield node_device(prefix, name, nodes.nodes[name].version)
    for name, camera in {**configuration.cameras, **dict.fromkeys(by_hand, UNCONFIGURED_CAMERA)}.items():
        objects = camera.objects or configuration.objects
        yield camera_device(prefix, name, camera, objects, tuple(labels.get(name, objects.track)))
