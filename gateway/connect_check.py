"""Trying what a configuration names: the broker, and one picture of each camera."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt

from camera_sources.opening import open_source
from camera_sources.redaction import Secrets
from camera_sources.schemes import scheme_of
from gateway.configuration.urls import not_installed_here
from shared.addresses import Address
from shared.broker_client import BrokerClient
from shared.broker_reasons import broker_reason
from shared.errors import BrokerError, DeepThingsError
from shared.identity import new_instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from camera_sources.settings import CameraSettings
    from gateway.configuration.root import Configuration

BROKER_S = 5.0
"""A broker that has not let us in by then is not usable."""

CAMERA_S = 20.0
"""For a picture of a camera; the slowest way to a reason why there is none takes 15 s."""

AT_ONCE = 8
"""Cameras that are tried at the same time: each decodes a picture."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of trying one thing: `ok` is None for what cannot be tried here."""

    what: str
    ok: bool | None
    said: str

    def __str__(self) -> str:
        outcome = {True: "", False: "failed: ", None: "not tried: "}[self.ok]
        return f"{self.what}: {outcome}{self.said}"


def try_connections(configuration: Configuration) -> list[Trial]:
    """Return what became of the broker and of every camera that is enabled, within a bounded time."""
    cameras = {name: camera.settings for name, camera in configuration.cameras.items() if camera.enabled}
    trials = [asyncio.run(_try_broker(configuration))]
    # Options of FFmpeg hold for a process: cameras of different transports are opened one kind after the other.
    for transport in ("auto", "tcp", "udp"):
        same = [name for name, settings in cameras.items() if settings.transport == transport]
        for begin in range(0, len(same), AT_ONCE):
            trials += _try_cameras({name: cameras[name] for name in same[begin : begin + AT_ONCE]})
    return trials


async def _try_broker(configuration: Configuration) -> Trial:
    mqtt = configuration.mqtt
    if mqtt.host is None:
        return Trial("broker", None, "the gateway starts one of its own")
    broker = Address(mqtt.host, mqtt.port)
    what = f"broker {broker}"
    try:
        client = BrokerClient(broker, f"deepthings-check-{new_instance()}", login=mqtt.login)
        async with asyncio.timeout(BROKER_S), client.connection():
            await client.hear(f"{mqtt.topic_prefix}/bridge/state", 1)
            return Trial(what, True, "it lets us in")
    except (aiomqtt.MqttError, BrokerError, OSError) as error:  # a time-out is one of the latter
        return Trial(what, False, broker_reason(error) or "it does not answer")


def _try_cameras(cameras: Mapping[str, CameraSettings]) -> Iterable[Trial]:
    """Try these at once; one whose driver hangs keeps its thread, which ends with the process."""
    trials: dict[str, Trial] = {}

    def attempt(name: str) -> None:
        trials[name] = _try_camera(name, cameras[name])

    threads = [threading.Thread(target=attempt, args=(name,), daemon=True) for name in cameras]
    for thread in threads:
        thread.start()
    until = time.monotonic() + CAMERA_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"no picture within {CAMERA_S:g} s"
    return [trials.get(name) or Trial(f"camera {name}", False, late) for name in cameras]


def _try_camera(name: str, settings: CameraSettings) -> Trial:
    what, url = f"camera {name}", settings.source.get_secret_value().strip()
    scheme = not_installed_here(settings.source)
    if scheme is not None:
        return Trial(what, None, f"{scheme}:// is not installed on this machine")
    if not scheme_of(url) and not Path(url).exists():
        return Trial(what, None, "its path is not on this machine; it is one of the camera's edge")
    try:
        with closing(open_source(settings).pictures()) as pictures:  # type: ignore[type-var]  # all are generators
            picture = next(pictures)
    except StopIteration:
        return Trial(what, False, "it gives no picture")
    except DeepThingsError as error:
        return Trial(what, False, str(error))
    except Exception as error:  # noqa: BLE001  (a source may be anybody's code)
        return Trial(what, False, f"the source failed: {Secrets(url).hide(str(error)) or type(error).__name__}")
    return Trial(what, True, f"{picture.shape[1]}x{picture.shape[0]}")
