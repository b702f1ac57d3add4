"""How Home Assistant is told that something is no more. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.integrations.home_assistant.encoding import DiscoveryMessage

COMPONENTS = "cmps"

_MAX_REMOVED = 1000
"""Devices, or entities where each has a topic, that are removed once more; the newest."""


def removal_messages(before: Mapping[str, str], now: Mapping[str, str]) -> list[DiscoveryMessage]:
    """What is to be published, in this order, before `now` is, where `before` was told last; both by topic.

    An empty payload removes all that a topic told of, the last told first, so that nobody loses the device that it is
    reached by. A component that its device has no more is named once with nothing but its platform; leaving it out
    would not remove it.
    """
    gone = [(topic, "") for topic in reversed(list(before)) if topic not in now]
    less = [(topic, _farewell(payload, now[topic])) for topic, payload in before.items() if topic in now]
    return gone + [(topic, payload) for topic, payload in less if payload]


def announced_during_change(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """All that Home Assistant may know of while `now` takes the place of `before`."""
    known = {**before, **now}
    for topic, payload in before.items():
        farewell = _farewell(payload, now[topic]) if topic in now else ""
        if farewell:
            known[topic] = farewell
    return known


def remember_removed(removed: Mapping[str, str], before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return the payloads of all that is removed, by topic: the newest _MAX_REMOVED.

    These are the earlier `removed` ones and those that `before` has and `now` has not, without what is back in `now`.
    Each payload is the last one, with every component that it ever had.
    """
    found = dict(removed)
    for topic, payload in before.items():
        if topic not in now or _farewell(payload, now[topic]):
            found[topic] = _with_components_of(payload, found.get(topic, ""))
    left = {topic: payload for topic, payload in found.items() if topic not in now or _farewell(payload, now[topic])}
    return dict(list(left.items())[-_MAX_REMOVED:])


def _with_components_of(payload: str, earlier: str) -> str:
    """Return a device with those components as well that only an earlier payload had."""
    missing = {key: one for key, one in _components(earlier).items() if key not in _components(payload)}
    if not missing:
        return payload
    return _with_components(_device(payload) or _device(earlier), missing)


def _farewell(before: str, now: str) -> str:
    """The device of `now` with the components that only `before` had, named once more; empty where there are none."""
    if before == now:
        return ""  # parsing takes time, and most stay as they are
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
    """Return what a payload says; nothing of one that was damaged where it was kept."""
    try:
        told = json.loads(payload)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
