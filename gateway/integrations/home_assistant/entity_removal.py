"""Makes the messages that remove devices and entities from Home Assistant. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.integrations.home_assistant.encoding import DiscoveryMessage

COMPONENTS = "cmps"

_MAX_REMOVED = 1000
"""The newest removals, which are kept and repeated: of devices, or of entities if each has its own topic."""


def removal_messages(before: Mapping[str, str], now: Mapping[str, str]) -> list[DiscoveryMessage]:
    """Return the messages, in order, that remove what is in `before` and not in `now`: discovery payloads by topic.

    An empty payload removes all entities of a topic. The last topics come first, so that no device loses the device
    that it is connected by (`via_device`). A component that a device does not have any more is published once with its
    platform only: Home Assistant does not remove a component that is just missing.
    """
    gone = [(topic, "") for topic in reversed(list(before)) if topic not in now]
    less = [(topic, _removal_payload(payload, now[topic])) for topic, payload in before.items() if topic in now]
    return gone + [(topic, payload) for topic, payload in less if payload]


def announced_during_change(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return all payloads by topic that Home Assistant may know while `now` replaces `before`."""
    known = {**before, **now}
    for topic, payload in before.items():
        removal = _removal_payload(payload, now[topic]) if topic in now else ""
        if removal:
            known[topic] = removal
    return known


def remember_removed(removed: Mapping[str, str], before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return the payloads of all removed devices and entities, by topic: the newest _MAX_REMOVED.

    These are the earlier `removed` ones and those of `before` that are missing in `now`, without those that are in
    `now` again. Each payload is the last one of its topic, with all components that the topic ever had.
    """
    found = dict(removed)
    for topic, payload in before.items():
        if topic not in now or _removal_payload(payload, now[topic]):
            found[topic] = _with_components_of(payload, found.get(topic, ""))
    left = {
        topic: payload for topic, payload in found.items() if topic not in now or _removal_payload(payload, now[topic])
    }
    return dict(list(left.items())[-_MAX_REMOVED:])


def _with_components_of(payload: str, earlier: str) -> str:
    """Return a device payload, completed by the components that only an earlier payload had."""
    missing = {key: component for key, component in _components(earlier).items() if key not in _components(payload)}
    if not missing:
        return payload
    return _with_components(_device(payload) or _device(earlier), missing)


def _removal_payload(before: str, now: str) -> str:
    """Return the payload of `now` with the components that only `before` had, by platform; empty if there are none."""
    if before == now:
        return ""  # most payloads are equal, and parsing takes time
    had, has = _components(before), _components(now)
    missing = dict(_missing(had, has))
    if not missing:
        return ""
    return _with_components(_device(now), missing)


def _with_components(device: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    known = device.get(COMPONENTS)
    components = {**(known if isinstance(known, dict) else {}), **more}
    return json.dumps({**device, COMPONENTS: components}, ensure_ascii=False, separators=(",", ":"))


def _missing(had: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for key, component in had.items():
        platform = component.get("p") if isinstance(component, dict) else None
        if key not in has and isinstance(platform, str):
            yield key, {"p": platform}


def _components(payload: str) -> dict[str, Any]:
    found = _device(payload).get(COMPONENTS)
    return found if isinstance(found, dict) else {}


def _device(payload: str) -> dict[str, Any]:
    """Return the device in a payload; {} if the payload, read from the state folder, is damaged."""
    try:
        device = json.loads(payload)
    except ValueError:
        return {}
    return device if isinstance(device, dict) else {}
