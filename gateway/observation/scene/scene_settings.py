"""What one camera's scene is told: the configuration's part, and what was set by MQTT."""

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
    """Which objects count. Two that are equal do the same."""

    objects: ObjectsSection
    zones: Mapping[str, ZoneSection]
    detect: DetectSection
    threshold: float | None = None
    """Of all labels, in the place of the filters'."""
    labels: tuple[str, ...] | None = None
    """Those that are followed, in the place of the configuration's."""

    @property
    def followed(self) -> tuple[str, ...]:
        """The labels that are followed, each once; none while detection is off."""
        if not self.detect.enabled:
            return ()
        return tuple(dict.fromkeys(self.objects.track if self.labels is None else self.labels))

    def filter(self, label: str) -> FilterSection:
        """What an object of this label must be. A threshold set below min_score takes it along, or it would not act."""
        chosen = self.objects.filters.get(label, FilterSection())
        if self.threshold is None:
            return chosen
        lowest = min(chosen.min_score, self.threshold)
        return chosen.model_copy(update={"threshold": self.threshold, "min_score": lowest})

    def zone_labels(self, zone: ZoneSection) -> tuple[str, ...]:
        """The labels that count in a zone."""
        return tuple(label for label in self.followed if not zone.objects or label in zone.objects)

    @property
    def tracker(self) -> TrackerSettings:
        """What begins a track lies in the middle between what is looked at and what counts; 0.6 if nothing is set."""
        high = {label: _middle(self.filter(label)) for label in self.followed}
        return TrackerSettings(self.detect.max_disappeared, self.detect.stationary_after, high)


def _middle(chosen: FilterSection) -> float:
    return chosen.min_score + max(0.0, chosen.threshold - chosen.min_score) / 2
