"""Decides in which zones an object is: zones as in Frigate, with inertia and loitering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.observation.scene.areas import Area, standing_point
from gateway.observation.scene.filters import box_fits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.configuration.objects import FilterSection, ZoneSection
    from gateway.observation.scene.areas import Image, Point
    from gateway.observation.scene.scene_settings import SceneSettings
    from gateway.observation.tracking.tracks import Track

_MAX_SLOW_INERTIA = 2
"""Inertia in frames if these are more than a second apart: an object that crosses a zone would be gone by more."""


@dataclass(slots=True)
class ZonePresence:
    """The presence of one object in one zone."""

    frames: int = 0
    """Frames in a row that contradict the present state."""
    since: float | None = None
    """The time when it had been inside for as many frames as the inertia requires; None: it is outside."""
    counts: bool = False
    """It counts as in the zone: it has been inside for the loitering time."""

    def see(self, *, inside: bool, at: float, inertia: int, loitering_time_s: float) -> None:
        """Process a frame that shows the object. Leaving takes as many frames as entering, because boxes jitter."""
        self.frames = self.frames + 1 if inside == (self.since is None) else 0
        if self.frames >= inertia:
            self.frames, self.since = 0, (at if inside else None)
        self.counts = self.since is not None and at - self.since >= loitering_time_s


class SceneZones:
    """The zones of one camera, prepared for one picture size."""

    def __init__(self, settings: SceneSettings, image: Image) -> None:
        self._settings = settings
        self._image = image
        self._areas = {name: Area.from_polygon(zone.coordinates, image) for name, zone in settings.zones.items()}
        self._masks = {
            (name, label): [Area.from_polygon(polygon, image) for polygon in chosen.mask]
            for name, zone in settings.zones.items()
            for label, chosen in zone.filters.items()
        }

    def see(self, track: Track, presences: dict[str, ZonePresence], *, slow: bool) -> None:
        """Update the presences after a frame that shows the object; `slow`: frames are rare, so few are enough."""
        point = standing_point(track.box, self._image)
        for name, zone in self._settings.zones.items():
            if zone.objects and track.label not in zone.objects:
                continue
            presence = presences.setdefault(name, ZonePresence())
            inside = self._areas[name].contains_point(point) and (
                presence.since is not None or self._admits(name, zone, track, point)
            )
            presence.see(
                inside=inside,
                at=track.last_seen,
                inertia=min(zone.inertia, _MAX_SLOW_INERTIA) if slow else zone.inertia,
                loitering_time_s=zone.loitering_time,
            )

    def _admits(self, name: str, zone: ZoneSection, track: Track, point: Point) -> bool:
        """Return whether an object passes the zone's filter; it has to pass only once, as in Frigate."""
        chosen = zone.filters.get(track.label)
        if chosen is None:
            return True
        return (
            box_fits(chosen, track.box, self._image)
            and track.median_score >= self._threshold(chosen)
            and not any(mask.contains_point(point) for mask in self._masks[name, track.label])
        )

    def _threshold(self, chosen: FilterSection) -> float:
        """Return the threshold that the zone itself sets; 0 if it sets none: then the camera's applies."""
        return chosen.threshold if "threshold" in chosen.model_fields_set else 0.0


def zones_with_object(presences: Mapping[str, ZonePresence]) -> tuple[str, ...]:
    """Return the zones that an object is in."""
    return tuple([name for name, presence in presences.items() if presence.counts])
