"""Decides in which zones an object is: zones as in Frigate, with inertia and loitering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gateway.observation.scene.areas import Area, is_inside, standing_point
from gateway.observation.scene.filters import BoxLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.configuration.objects import FilterSection
    from gateway.observation.scene.areas import Image, Point
    from gateway.observation.scene.scene_settings import SceneSettings
    from gateway.observation.tracking.tracks import Track

_MAX_SLOW_INERTIA = 2
"""Largest inertia, in frames, if these are more than a second apart: an object might cross a zone in more frames."""


@dataclass(slots=True)
class ZonePresence:
    """The presence of one object in one zone."""

    frames: int = 0
    """Frames in a row that contradict the current state."""
    since: float | None = None
    """The time since which it is inside, after as many frames as the inertia requires; None: it is outside."""
    counts: bool = False
    """It counts as in the zone, because it has been inside for the loitering time."""

    def see(self, *, inside: bool, at: float, inertia: int, loitering_time_s: float) -> None:
        """Process a frame that shows the object at the time `at`. Leaving takes `inertia` frames, too: boxes jitter."""
        self.frames = self.frames + 1 if inside == (self.since is None) else 0
        if self.frames >= inertia:
            self.frames, self.since = 0, (at if inside else None)
        self.counts = self.since is not None and at - self.since >= loitering_time_s


@dataclass(frozen=True, slots=True)
class _ZoneFilter:
    """The filter of one label in one zone, prepared for one picture size."""

    limits: BoxLimits
    threshold: float
    masks: tuple[Area, ...]

    @classmethod
    def from_section(cls, chosen: FilterSection, image: Image) -> Self:
        """Return the filter of a section. Without a threshold of the zone, it has 0: the camera's threshold applies."""
        threshold = chosen.threshold if "threshold" in chosen.model_fields_set else 0.0
        masks = tuple(Area.from_polygon(polygon, image) for polygon in chosen.mask)
        return cls(BoxLimits.from_filter(chosen, image), threshold, masks)

    def admits(self, track: Track, point: Point) -> bool:
        """Return whether an object that stands at this point passes the filter."""
        return self.limits.fit(track.box) and track.median_score >= self.threshold and not is_inside(point, self.masks)


class SceneZones:
    """The zones of one camera, prepared for one picture size."""

    def __init__(self, settings: SceneSettings, image: Image) -> None:
        self._image = image
        self._zones = {
            name: (zone, Area.from_polygon(zone.coordinates, image))
            for name, zone in settings.zones.items()
            if name not in settings.zones_off
        }
        self._off = settings.zones_off
        self._filters = {
            (name, label): _ZoneFilter.from_section(chosen, image)
            for name, zone in settings.zones.items()
            for label, chosen in zone.filters.items()
        }

    def see(self, track: Track, presences: dict[str, ZonePresence], *, slow: bool) -> None:
        """Update an object's presences by zone after a frame that shows it. `slow`: frames are over a second apart."""
        point = standing_point(track.box, self._image)
        for name, (zone, area) in self._zones.items():
            if zone.objects and track.label not in zone.objects:
                continue
            presence = presences.get(name)
            if presence is None:
                presence = presences[name] = ZonePresence()
            inside = area.contains_point(point) and (presence.since is not None or self._admits(name, track, point))
            presence.see(
                inside=inside,
                at=track.last_seen,
                inertia=min(zone.inertia, _MAX_SLOW_INERTIA) if slow else zone.inertia,
                loitering_time_s=zone.loitering_time,
            )

    def explain(self, track: Track, presences: Mapping[str, ZonePresence]) -> dict[str, str]:
        """Return, by zone, the words for whether an object counts as in the zone, or why not."""
        found = {name: self._explain_zone(name, track, presences.get(name)) for name in self._zones}
        return found | dict.fromkeys(sorted(self._off), "this zone is switched off")

    def _explain_zone(self, name: str, track: Track, presence: ZonePresence | None) -> str:
        zone, area = self._zones[name]
        if zone.objects and track.label not in zone.objects:
            return f"{track.label} does not count here: objects of this zone are {', '.join(zone.objects)}"
        if presence is not None and presence.counts:
            return "in it"
        point = standing_point(track.box, self._image)
        if not area.contains_point(point):
            return "outside: the middle of the bottom edge of its box is not in the zone"
        if presence is not None and presence.since is not None:
            stayed = track.last_seen - presence.since
            return f"in it for {stayed:.1f} of {zone.loitering_time:g} s (loitering_time)"
        if not self._admits(name, track, point):
            return "this zone's own filter does not let it pass"
        frames = 0 if presence is None else presence.frames
        return f"in it for {frames} of {zone.inertia} frames in a row (inertia)"

    def _admits(self, name: str, track: Track, point: Point) -> bool:
        """Return whether an object passes the filter of a zone. Once inside, it needs not pass again, as in Frigate."""
        chosen = self._filters.get((name, track.label))
        return chosen is None or chosen.admits(track, point)


def zones_with_object(presences: Mapping[str, ZonePresence]) -> tuple[str, ...]:
    """Return the zones that an object is in."""
    return tuple([name for name, presence in presences.items() if presence.counts])
