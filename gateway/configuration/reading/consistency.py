"""Checks that the parts of a configuration fit together: names in hooks, ports, prefixes, labels. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.configuration.quoting import did_you_mean, quote_word
from gateway.configuration.reading.mistakes import Mistake
from gateway.configuration.urls import not_installed_here
from gateway.planning.methods import Method
from shared.ftp.grid import Grid
from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.configuration.automation import HookSection
    from gateway.configuration.objects import ObjectsSection, ZoneSection
    from gateway.configuration.reading.mistakes import KeyPath
    from gateway.configuration.root import ClusterSection, Configuration


@dataclass(frozen=True, slots=True)
class WrittenNames:
    """The names of the cameras in the file, each with the names of its zones.

    Cameras with mistakes are included, so that a hook for one of them is not reported as a second mistake.
    """

    zones: Mapping[str, frozenset[str]]

    @classmethod
    def from_values(cls, value: object) -> WrittenNames:
        """Return the names in the file; `value` is its content as plain values."""
        cameras = _section(_section(value).get("cameras"))
        return cls(
            {
                str(name): frozenset(map(str, _section(_section(camera).get("zones"))))
                for name, camera in cameras.items()
            }
        )


def find_contradictions(configuration: Configuration, written: WrittenNames) -> Iterator[Mistake]:
    """Yield mistakes in parts that are valid by themselves, but do not fit together."""
    for path, hook in hooks_of(configuration):
        yield from _missing_names(path, hook, written)
    yield from _names_in_profiles(configuration, written)
    yield from _grids(configuration.cluster)
    yield from _shared_ports_and_prefixes(configuration)


def find_doubts(configuration: Configuration, written: WrittenNames) -> Iterator[Mistake]:
    """Yield warnings about settings that are valid, but perhaps not intended."""
    if not configuration.cameras and not written.zones:
        yield Mistake(("cameras",), "there are no cameras", "write their names below it")
    followed = {name: configuration.objects_of(name).track for name in configuration.cameras}
    for name, camera in configuration.cameras.items():
        scheme = not_installed_here(camera.source)
        if scheme is not None:
            right = "the edge that reads this camera must have it installed"
            yield Mistake(("cameras", name, "source"), f"{scheme}:// is not installed on this machine", right)
        for zone_name, zone in camera.zones.items():
            for label in sorted({*zone.objects} - {*followed[name]}):
                path: KeyPath = ("cameras", name, "zones", zone_name, "objects")
                yield Mistake(
                    path, f"this camera does not follow {quote_word(label)}", "add it to track of its objects"
                )
    for path, hook in hooks_of(configuration):
        for label in sorted({*hook.labels}.difference(*followed.values())):
            yield Mistake((*path, "labels"), f"no camera follows {quote_word(label)}", "add it to track of objects")


def find_unknown_labels(configuration: Configuration, labels: Sequence[str]) -> Iterator[Mistake]:
    """Yield a mistake for each label that the model does not have."""
    for path, label in _labels(configuration):
        if label not in labels:
            yield Mistake(path, f"the model has no label {quote_word(label)}", did_you_mean(label, labels))


def hooks_of(configuration: Configuration) -> Iterator[tuple[KeyPath, HookSection]]:
    """Yield all hooks with their paths."""
    for number, webhook in enumerate(configuration.hooks.webhooks):
        yield ("hooks", "webhooks", number), webhook
    for number, command in enumerate(configuration.hooks.commands):
        yield ("hooks", "commands", number), command


def _missing_names(path: KeyPath, hook: HookSection, written: WrittenNames) -> Iterator[Mistake]:
    """Yield a mistake for each missing camera and zone of a hook."""
    for camera in hook.cameras:
        if camera not in written.zones:
            yield Mistake(
                (*path, "cameras"),
                f"camera {quote_word(camera)} not found",
                did_you_mean(camera, sorted(written.zones)),
            )
    cameras = [name for name in hook.cameras if name in written.zones] or list(written.zones)
    zones = sorted({zone for camera in cameras for zone in written.zones[camera]})
    for zone in hook.zones:
        if zone not in zones:
            whose = "none of its cameras has" if hook.cameras else "no camera has"
            yield Mistake((*path, "zones"), f"{whose} a zone {quote_word(zone)}", did_you_mean(zone, zones))


def _names_in_profiles(configuration: Configuration, written: WrittenNames) -> Iterator[Mistake]:
    """Yield a mistake for each missing camera and zone of a profile."""
    for profile, section in configuration.profiles.items():
        for camera, changes in section.cameras.items():
            path: KeyPath = ("profiles", profile, "cameras", camera)
            if camera not in written.zones:
                right = did_you_mean(camera, sorted(written.zones))
                yield Mistake(path, f"camera {quote_word(camera)} not found", right)
                continue
            for zone in changes.zones:
                if zone not in written.zones[camera]:
                    right = did_you_mean(zone, sorted(written.zones[camera]))
                    yield Mistake((*path, "zones", zone), f"the camera has no zone {quote_word(zone)}", right)


def _grids(cluster: ClusterSection) -> Iterator[Mistake]:
    if cluster.grid is None:
        return
    grid = Grid.parse(cluster.grid)
    if cluster.method is Method.BODP and min(grid.rows, grid.columns) > 1:
        yield Mistake(
            ("cluster", "grid"), f"method bodp divides along one axis, not into {grid}", f"write {grid.count}x1"
        )
    if cluster.method is Method.WHOLE and grid.count > 1:
        yield Mistake(("cluster", "grid"), "method whole does not divide frames", "remove it, or write method: ftp-wst")


def _shared_ports_and_prefixes(configuration: Configuration) -> Iterator[Mistake]:
    """Yield mistakes for ports and topics that two parts use."""
    mqtt, cluster = configuration.mqtt, configuration.cluster
    if mqtt.host is not None and (mqtt.host == "localhost" or is_loopback(mqtt.host)) and mqtt.port == cluster.port:
        yield Mistake(
            ("mqtt", "port"), "the gateway's own broker uses this port for edges", "write the port of your broker"
        )
    ports = {} if mqtt.host is not None else {mqtt.port: "mqtt.port"}
    for key in ("port", "data_port"):
        port = getattr(cluster, key)
        if port in ports:
            yield Mistake(("cluster", key), f"{ports[port]} has the same value", "write another")
        ports.setdefault(port, f"cluster.{key}")
    taken = {mqtt.topic_prefix: "mqtt.topic_prefix"}
    for path, wanted in (
        (("home_assistant", "discovery_prefix"), configuration.home_assistant.enabled),
        (("frigate_compat", "topic_prefix"), configuration.frigate_compat.enabled),
    ):
        section, key = path
        prefix = getattr(getattr(configuration, section), key)
        if wanted and prefix in taken:
            yield Mistake(path, f"{taken[prefix]} has the same value", "write another")
        taken.setdefault(prefix, ".".join(path))


def _labels(configuration: Configuration) -> Iterator[tuple[KeyPath, str]]:
    """Yield every label, written or default, with its path."""
    yield from _labels_of_objects(("objects",), configuration.objects)
    for name, camera in configuration.cameras.items():
        if camera.objects is not None:
            yield from _labels_of_objects(("cameras", name, "objects"), camera.objects)
        for zone_name, zone in camera.zones.items():
            yield from _labels_of_zone(("cameras", name, "zones", zone_name), zone)
    for path, hook in hooks_of(configuration):
        yield from (((*path, "labels", number), label) for number, label in enumerate(hook.labels))
    for profile, section in configuration.profiles.items():
        for name, changes in section.cameras.items():
            where = ("profiles", profile, "cameras", name, "labels")
            yield from (((*where, number), label) for number, label in enumerate(changes.labels or ()))


def _labels_of_objects(path: KeyPath, objects: ObjectsSection) -> Iterator[tuple[KeyPath, str]]:
    yield from (((*path, "track", number), label) for number, label in enumerate(objects.track))
    yield from (((*path, "filters", label), label) for label in objects.filters)


def _labels_of_zone(path: KeyPath, zone: ZoneSection) -> Iterator[tuple[KeyPath, str]]:
    yield from (((*path, "objects", number), label) for number, label in enumerate(zone.objects))
    yield from (((*path, "filters", label), label) for label in zone.filters)


def _section(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}
