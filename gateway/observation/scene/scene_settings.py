"""The settings of one camera's scene, from the configuration and from MQTT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.configuration.objects import FilterSection
from gateway.observation.tracking.tracks import TrackerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.configuration.cameras import DetectSection
    from gateway.configuration.objects import ObjectsSection, ZoneSection


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """The settings that decide which objects count. Equal settings have equal effects."""

    objects: ObjectsSection
    zones: Mapping[str, ZoneSection]
    detect: DetectSection
    threshold: float | None = None
    """The threshold of all labels; None: the thresholds of the filters apply."""
    labels: tuple[str, ...] | None = None
    """The followed labels; None: those of the configuration."""
    zones_off: frozenset[str] = frozenset()
    """Zones that are switched off: no object counts there, but their states are still published."""

    @property
    def followed(self) -> tuple[str, ...]:
        """Return the followed labels, each once; none while detection is off."""
        if not self.detect.enabled:
            return ()
        return tuple(dict.fromkeys(self.objects.track if self.labels is None else self.labels))

    def filter(self, label: str) -> FilterSection:
        """Return the filter of a label.

        If the `threshold` of all labels is below its min_score, that is lowered, too.
        """
        chosen = self.objects.filters.get(label, FilterSection())
        if self.threshold is None:
            return chosen
        lowest = min(chosen.min_score, self.threshold)
        return chosen.model_copy(update={"threshold": self.threshold, "min_score": lowest})

    def zone_labels(self, zone: ZoneSection) -> tuple[str, ...]:
        """Return the labels that count in a zone."""
        return tuple(label for label in self.followed if not zone.objects or label in zone.objects)

    @property
    def tracker(self) -> TrackerSettings:
        """Return the tracker's settings. A track begins at the score halfway from min_score to threshold."""
        high = {label: _track_begin_score(self.filter(label)) for label in self.followed}
        return TrackerSettings(self.detect.max_disappeared, self.detect.stationary_after, high)


def _track_begin_score(chosen: FilterSection) -> float:
    return chosen.min_score + max(0.0, chosen.threshold - chosen.min_score) / 2
