"""Changes settings, zones and masks of cameras, and the profile, on commands by MQTT, and publishes their state."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from gateway.cameras.area_switches import MASK_PREFIX
from gateway.cameras.mqtt_values import CAMERA_SETTINGS, encode_setting
from shared.errors import BrokerError, ConfigurationError
from shared.mqtt import topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.broker.planes import Planes
    from gateway.cameras.applied_settings import AppliedSettings
    from shared.mqtt.received import Received

log = logging.getLogger(__name__)


class SettingsControl:
    """Handles the messages of topics that end in `set`. An invalid one is logged, and the state is published again."""

    def __init__(
        self,
        bus: Planes,
        settings: AppliedSettings,
        cameras: Callable[[], Sequence[str]],
        on_changed: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        """`cameras()` returns the known cameras; `on_changed` is called with those whose settings have changed."""
        self._bus = bus
        self._settings = settings
        self._cameras = cameras
        self._on_changed = on_changed
        bus.on_plain(topics.CAMERA_SET, self._on_set, queued=True)
        bus.on_plain(topics.ZONE_SET, self._on_zone_set, queued=True)
        bus.on_plain(topics.PROFILE_SET, self._on_profile_set, queued=True)

    async def change_setting(self, name: str, setting: str, payload: bytes) -> None:
        """Change a setting of a camera to an MQTT payload."""
        if name not in self._cameras():
            log.log(_level(payload), "%s of camera %s cannot be set: unknown camera", setting, name)
            return
        if setting.startswith(MASK_PREFIX):
            await self._switch_area(name, setting, payload, is_zone=False)
            return
        if setting not in CAMERA_SETTINGS:
            log.warning("%s of camera %s cannot be set; valid settings: %s", setting, name, ", ".join(CAMERA_SETTINGS))
            return
        try:
            changed = self._settings.set_setting(name, setting, payload)
        except ConfigurationError as error:
            log.warning("camera %s: %s", name, error)
            changed = False
        await self._publish_setting(name, setting)  # also after an invalid value, which the sender may show as set
        if changed:
            log.info("camera %s: %s is set", name, setting)
            await self._on_changed([name])

    async def switch_zone(self, name: str, zone: str, payload: bytes) -> None:
        """Switch a zone of a camera on or off, or reset it."""
        if name not in self._cameras():
            log.log(_level(payload), "zone %s of camera %s cannot be switched: unknown camera", zone, name)
            return
        await self._switch_area(name, zone, payload, is_zone=True)

    async def _switch_area(self, name: str, area: str, payload: bytes, *, is_zone: bool) -> None:
        try:
            changed = self._settings.set_area(name, area, payload, is_zone=is_zone)
        except ConfigurationError as error:
            log.warning("camera %s: %s", name, error)
            changed = False
        await self._publish_areas(name)
        if changed:
            log.info("camera %s: %s %s is switched", name, "zone" if is_zone else "mask", area)
            await self._on_changed([name])

    async def choose_profile(self, profile: str) -> None:
        """Let a profile apply to all cameras."""
        try:
            self._settings.choose_profile(profile)
        except ConfigurationError as error:
            log.warning("%s", error)
            await self.publish_profile()
            return
        log.info("profile %s applies", profile)
        await self.publish_profile()
        names = self._cameras()
        for name in names:
            await self.publish(name)
        await self._on_changed(names)

    async def publish(self, name: str) -> None:
        """Publish all settings of a camera."""
        for setting in CAMERA_SETTINGS:
            await self._publish_setting(name, setting)
        await self._publish_areas(name)

    async def publish_profile(self) -> None:
        """Publish the profile that applies, if any is configured."""
        if self._settings.profile:
            with contextlib.suppress(BrokerError):  # published again after the next connect, as are those below
                await self._bus.publish_plain(topics.PROFILE, self._settings.profile.encode())

    async def _on_set(self, received: Received) -> None:
        name, setting = received.names
        if received.retained:
            log.info("a retained value for %s of camera %s is ignored: publish it without retain", setting, name)
            return
        await self.change_setting(name, setting, received.payload)

    async def _on_zone_set(self, received: Received) -> None:
        name, zone = received.names
        if received.retained:
            log.info("a retained state for zone %s of camera %s is ignored: publish it without retain", zone, name)
            return
        await self.switch_zone(name, zone, received.payload)

    async def _on_profile_set(self, received: Received) -> None:
        if received.retained:
            log.info("a retained profile is ignored: publish it without retain")
            return
        profile = received.payload.decode(errors="replace").strip()
        if profile:
            await self.choose_profile(profile)

    async def _publish_setting(self, name: str, setting: str) -> None:
        value = getattr(self._settings.shown(name), setting)
        with contextlib.suppress(BrokerError):
            await self._bus.publish_plain(topics.CAMERA_SETTING, encode_setting(value), name, setting)

    async def _publish_areas(self, name: str) -> None:
        for area, on in self._settings.area_states(name):
            topic = topics.ZONE_SWITCH if area.is_zone else topics.CAMERA_SETTING
            with contextlib.suppress(BrokerError):
                await self._bus.publish_plain(topic, encode_setting(on), name, area.name)


def _level(payload: bytes) -> int:
    """Return the level to log an unknown camera at: DEBUG for empty payloads.

    The check of the broker's access rules sends empty messages to all topics.
    """
    return logging.WARNING if payload else logging.DEBUG
