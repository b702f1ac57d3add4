"""The settings that apply to cameras: set by MQTT, else those of the chosen profile, else the configured ones."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.cameras.area_switches import (
    objects_without,
    settings_without,
    switched_areas,
    zones_off,
    zones_without_masks,
)
from gateway.cameras.area_trials import AreaTrials
from gateway.cameras.mqtt_values import CAMERA_SETTINGS, read_switch, with_setting
from gateway.cameras.overrides import Overrides, OverridesFile
from gateway.configuration.cameras import UNCONFIGURED_CAMERA
from gateway.configuration.objects import FilterSection
from gateway.configuration.profile_sections import UNCHANGED_CAMERA
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from camera_sources.camera_settings import CameraSettings
    from gateway.cameras.area_switches import SwitchedArea
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import ObjectsSection
    from gateway.configuration.profile_sections import ProfileCameraSection
    from gateway.configuration.root import Configuration
    from gateway.state.state_folder import StateFolder

log = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """The settings that apply to a camera.

    `threshold`, `fps` or `labels` None: the value of the model or the filters.
    """

    enabled: bool
    detect: bool
    threshold: float | None
    fps: float | None
    labels: tuple[str, ...] | None


class AppliedSettings:
    """The settings of all cameras: the configuration, the chosen profile, and the overrides that were set by MQTT."""

    def __init__(self, configuration: Configuration, state: StateFolder) -> None:
        self._configuration = configuration
        self._overrides = OverridesFile(state)
        self._trials = AreaTrials()

    def reload(self, configuration: Configuration, gone: Collection[str]) -> None:
        """Use another configuration, from which these cameras are `gone`."""
        self._configuration = configuration
        self._trials.end()
        for name in gone:
            self._overrides.set_overrides(name, Overrides())

    def forget_others(self, by_hand: Collection[str]) -> None:
        """Delete the overrides of cameras that are not in the configuration, except for those started `by_hand`."""
        self._overrides.keep_only({*self._configuration.cameras, *by_hand})

    # what applies

    def section_of(self, name: str) -> CameraSection:
        """Return the section of a camera; a default section if it was started by hand."""
        return self._trials.section_of(name, self._configuration.cameras.get(name, UNCONFIGURED_CAMERA))

    def effective(self, name: str) -> EffectiveSettings:
        """Return the settings that apply to a camera now."""
        camera, profile, overrides = self.section_of(name), self._of_profile(name), self._overrides.overrides_of(name)
        return EffectiveSettings(
            enabled=_first(overrides.enabled, profile.enabled, camera.enabled),
            detect=_first(overrides.detect, profile.detect, camera.detect.enabled),
            threshold=_first(overrides.threshold, profile.threshold, None),
            fps=_first(overrides.fps, profile.fps, camera.fps),
            labels=_first(overrides.labels, profile.labels, None),
        )

    def shown(self, name: str) -> EffectiveSettings:
        """Return the settings to publish, with the followed labels; if these differ in threshold, that of the first."""
        effective, labels = self.effective(name), self.followed_labels(name)
        threshold = effective.threshold
        if threshold is None:
            threshold = self._objects_section(name).filters.get(next(iter(labels), ""), FilterSection()).threshold
        return replace(effective, threshold=threshold, labels=labels)

    def followed_labels(self, name: str) -> tuple[str, ...]:
        """Return the followed labels of a camera."""
        chosen = self.effective(name).labels
        return chosen if chosen is not None else self._objects_section(name).track

    def scene_section(self, name: str) -> tuple[CameraSection, ObjectsSection, frozenset[str]]:
        """Return a camera's section and objects section without the masks that are off, and the zones that are off."""
        camera, off = self.section_of(name), self._keys_off(name)
        without = camera.model_copy(update={"zones": zones_without_masks(camera.zones, off)})
        return without, objects_without(self._objects_section(name), off), zones_off(camera, off)

    def agent_settings(self, name: str) -> CameraSettings:
        """Return the settings for the agent of a configured camera, without the motion masks that are off."""
        return settings_without(self._configuration.cameras[name].settings, self._keys_off(name))

    # zones and masks

    def areas(self, name: str) -> dict[tuple[bool, str], SwitchedArea]:
        """Return the zones and masks of a camera by (is_zone, name): a zone and a mask may have the same name."""
        found = switched_areas(self.section_of(name), self._objects_section(name))
        return {(area.is_zone, area.name): area for area in found}

    def area_states(self, name: str) -> list[tuple[SwitchedArea, bool]]:
        """Return each zone and mask of a camera, and whether it is on."""
        off = self._keys_off(name)
        return [(area, area.key not in off) for area in self.areas(name).values()]

    def set_area(self, name: str, area: str, payload: bytes, *, is_zone: bool) -> bool:
        """Switch a zone or a mask to an MQTT payload, ON, OFF or empty (reset); return whether that changed it.

        Raises ConfigurationError, which says what is valid.
        """
        areas = self.areas(name)
        switched = areas.get((is_zone, area))
        if switched is None:
            kind = "zone" if is_zone else "mask"
            known = ", ".join(other for is_one, other in areas if is_one == is_zone) or "none"
            raise ConfigurationError(f"it has no {kind} {area[:64]!r}; its {kind}s: {known}")
        state = read_switch(payload)
        before = self._overrides.overrides_of(name)
        known_keys = {other.key for other in areas.values()}
        kept = {key: on for key, on in before.areas.items() if key in known_keys and key != switched.key}
        after = before.model_copy(update={"areas": kept if state is None else {**kept, switched.key: state}})
        if after != before:
            self._overrides.set_overrides(name, after)
        return after != before

    def _keys_off(self, name: str) -> frozenset[str]:
        """Return the keys of the zones and masks that are off."""
        states = self._overrides.overrides_of(name).areas
        by_profile = self._of_profile(name).zones
        if not states and not by_profile:
            return frozenset()
        areas = self.areas(name).values()
        return frozenset(
            area.key
            for area in areas
            if not states.get(area.key, by_profile.get(area.name, True) if area.is_zone else True)
        )

    # settings

    def set_setting(self, name: str, setting: str, payload: bytes) -> bool:
        """Set a setting to an MQTT payload. Return whether that changed it.

        Raises ConfigurationError, which says what is valid.
        """
        before = self._overrides.overrides_of(name)
        after = with_setting(before, setting, payload)
        if after != before:
            self._overrides.set_overrides(name, after)
        return after != before

    def try_areas(self, name: str, request: Mapping[str, Any]) -> CameraSection:
        """Replace a camera's zones or masks until a restart or a reload; return its section.

        `request` as in AreaTrials.begin. Raises ConfigurationError.
        """
        return self._trials.begin(name, self.section_of(name), self._objects_section(name), request)

    # profiles

    @property
    def profile(self) -> str:
        """Return the profile that applies; empty if none is configured."""
        chosen, names = self._overrides.profile, self._configuration.profiles
        return chosen if chosen in names else next(iter(names), "")

    def choose_profile(self, name: str) -> None:
        """Let a profile apply, and delete the overrides of all settings that any profile has.

        Raises ConfigurationError, which says what is valid.
        """
        names = self._configuration.profiles
        if name not in names:
            raise ConfigurationError(
                f"profile {name[:64]!r} not found; profiles: {', '.join(names) or 'none is configured'}"
            )
        for camera in {camera for profile in names.values() for camera in profile.cameras}:
            before = self._overrides.overrides_of(camera)
            after = self._without_settings_of_profiles(camera, before)
            if after != before:
                self._overrides.set_overrides(camera, after)
        self._overrides.choose_profile(name)

    def _without_settings_of_profiles(self, camera: str, overrides: Overrides) -> Overrides:
        sections = [profile.cameras.get(camera, UNCHANGED_CAMERA) for profile in self._configuration.profiles.values()]
        changed = {key for key in CAMERA_SETTINGS for section in sections if getattr(section, key) is not None}
        zones = {zone for section in sections for zone in section.zones}
        keys = {area.key for area in self.areas(camera).values() if area.is_zone and area.name in zones}
        areas = {key: on for key, on in overrides.areas.items() if key not in keys}
        return overrides.model_copy(update={**dict.fromkeys(changed), "areas": areas})

    def _of_profile(self, name: str) -> ProfileCameraSection:
        chosen = self._configuration.profiles.get(self.profile)
        return UNCHANGED_CAMERA if chosen is None else chosen.cameras.get(name, UNCHANGED_CAMERA)

    def _objects_section(self, name: str) -> ObjectsSection:
        return self.section_of(name).objects or self._configuration.objects


def _first(override: Value | None, profile: Value | None, configured: Value) -> Value:
    if override is not None:
        return override
    return configured if profile is None else profile
