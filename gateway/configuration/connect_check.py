"""Tries the connections of a configuration: the broker, and one picture of each camera."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiomqtt

from camera_sources.first_picture import first_pictures
from camera_sources.open_source import missing_source_path
from gateway.configuration.automation import HomeAssistantSection
from gateway.configuration.urls import not_installed_here
from shared.errors import BrokerError, DeepThingsError
from shared.mqtt.broker_client import BrokerClient
from shared.mqtt.identity import new_instance
from shared.network.addresses import Address
from shared.process.signals import run_coroutine
from shared.reasons.broker_reasons import broker_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from camera_sources.camera_settings import CameraSettings
    from gateway.configuration.mqtt import MqttSection
    from gateway.configuration.root import Configuration
    from shared.model.arrays import Pixels

BROKER_TIMEOUT_S = 5.0
"""Time for the connection with the broker."""

MAX_CAMERAS_AT_ONCE = 8
"""Cameras that are tried at the same time; each decodes a picture."""


@dataclass(frozen=True, slots=True)
class ConnectionTrial:
    """The result of trying one connection. `what` was tried; `ok` is None if it cannot be tried on this machine."""

    what: str
    ok: bool | None
    said: str

    def __str__(self) -> str:
        outcome = {True: "", False: "failed: ", None: "not tried: "}[self.ok]
        return f"{self.what}: {outcome}{self.said}"


def try_connections(configuration: Configuration) -> list[ConnectionTrial]:
    """Try the broker and every enabled camera, within a bounded time; return the results."""
    cameras = {name: camera.settings for name, camera in configuration.cameras.items() if camera.enabled}
    home_assistant, frigate = configuration.home_assistant, configuration.frigate_compat
    others = [home_assistant.discovery_prefix] if home_assistant.enabled else []
    others += [frigate.topic_prefix] if frigate.enabled else []
    trials = [try_broker(configuration.mqtt, others)]
    # Options of FFmpeg apply to a whole process, so cameras are opened by transport, one transport after the other.
    for transport in ("auto", "tcp", "udp"):
        same = [name for name, settings in cameras.items() if settings.transport == transport]
        for start in range(0, len(same), MAX_CAMERAS_AT_ONCE):
            trials += _try_cameras({name: cameras[name] for name in same[start : start + MAX_CAMERAS_AT_ONCE]})
    return trials


def try_broker(
    mqtt: MqttSection, others: Sequence[str] = (HomeAssistantSection().discovery_prefix,)
) -> ConnectionTrial:
    """Try to connect to the broker and to publish, within a bounded time; return the result.

    `others` are the topic prefixes of other programs, such as Home Assistant, below which the gateway publishes.
    """
    return run_coroutine(lambda: _try_broker(mqtt, others))


def try_camera(name: str, settings: CameraSettings) -> tuple[ConnectionTrial, Pixels | None]:
    """Try one camera, within a bounded time; return the result, and the picture if there is one."""
    not_tried = _reason_not_tried(settings)
    found = None if not_tried else first_pictures({name: settings})[name]
    return _camera_trial(name, found, not_tried), None if isinstance(found, DeepThingsError) else found


async def _try_broker(mqtt: MqttSection, others: Sequence[str]) -> ConnectionTrial:
    if mqtt.host is None:
        return ConnectionTrial("broker", None, "the gateway starts one of its own")
    broker = Address(mqtt.host, mqtt.port)
    what = f"broker {broker}"
    try:
        client = BrokerClient(broker, f"deepthings-check-{new_instance()}", login=mqtt.login)
        async with asyncio.timeout(BROKER_TIMEOUT_S), client.connection():
            await client.subscribe_checked(f"{mqtt.topic_prefix}/bridge/state", 1)
            for prefix in (mqtt.topic_prefix, *others):
                try:
                    await client.publish_checked(f"{prefix}/check", b"", 1, retain=False)
                except aiomqtt.MqttCodeError as error:
                    return ConnectionTrial(
                        what, False, f"connected, but it refuses topics below {prefix}/: {broker_reason(error)}"
                    )
            return ConnectionTrial(what, True, "connected")
    except (aiomqtt.MqttError, BrokerError, OSError) as error:  # a timeout is an OSError
        return ConnectionTrial(what, False, broker_reason(error) or "no answer")


def _try_cameras(cameras: Mapping[str, CameraSettings]) -> Iterator[ConnectionTrial]:
    """Try these cameras at the same time, except for those that cannot be tried here."""
    not_tried = {name: reason for name, settings in cameras.items() if (reason := _reason_not_tried(settings))}
    tried = {name: settings for name, settings in cameras.items() if name not in not_tried}
    pictures = first_pictures(tried)
    for name in cameras:
        yield _camera_trial(name, pictures.get(name), not_tried.get(name, ""))


def _camera_trial(name: str, found: Pixels | DeepThingsError | None, not_tried: str) -> ConnectionTrial:
    what = f"camera {name}"
    if found is None:
        return ConnectionTrial(what, None, not_tried)
    if isinstance(found, DeepThingsError):
        return ConnectionTrial(what, False, str(found))
    return ConnectionTrial(what, True, f"{found.shape[1]}x{found.shape[0]}")


def _reason_not_tried(settings: CameraSettings) -> str:
    """Return why a camera cannot be tried on this machine; "" when it can."""
    scheme = not_installed_here(settings.source)
    if scheme is not None:
        return f"{scheme}:// is not installed on this machine"
    if missing_source_path(settings.source.get_secret_value()) is not None:
        return "its path does not exist on this machine; it belongs to the camera's edge"
    return ""
