"""What to type once there is a configuration. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from camera_sources.urls.schemes import is_path
from shared.network.addresses import LOOPBACK
from shared.network.hosts import is_loopback, is_wildcard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.configuration.root import Configuration

OTHER_NAME = "attic"
"""A name for an edge, to begin with."""


@dataclass(frozen=True, slots=True)
class ThisDevice:
    """The device of the gateway: its address for others, and how its people and its root call the console script.

    `program_elsewhere` is how people call it on devices that have nothing but a copy of the same repository.
    """

    address: str
    program: str = "deepthings"
    program_of_root: str = "deepthings"
    program_elsewhere: str = "deepthings"

    def local_commands(self, role: str) -> Iterator[str]:
        """Yield a command, and the one that makes a service of it."""
        yield from (f"  {self.program} {role}", f"  sudo {self.program_of_root} service install {role}", "")

    def remote_commands(self, role: str) -> Iterator[str]:
        """Yield the same for another device."""
        program = self.program_elsewhere
        yield from (f"  {program} {role}", f"  sudo {program} service install {role}", "")


def next_steps(configuration: Configuration, file: Path, device: ThisDevice) -> Iterator[str]:
    """Yield the lines that say how to start the gateway and the edges, and where to look; `file` is absolute."""
    listen = configuration.cluster.listen
    here = LOOPBACK if is_wildcard(listen) else listen
    address = device.address if is_wildcard(listen) else listen
    yield from ("On this device, the gateway; the second line has it run by itself from now on:", "")
    yield from device.local_commands(f"gateway --config {shlex.quote(str(file))}")
    if is_loopback(listen):
        yield from ("On this device, too, the edge that computes:", "")
        yield from device.local_commands(f"edge --gateway {here}")
    else:
        yield from (f"On each other device, in the place of {OTHER_NAME} a name of its own:", "")
        yield from device.remote_commands(f"edge --gateway {address} --listen 0.0.0.0 --name {OTHER_NAME}")
        yield from ("If this device shall compute, too:", "")
        yield from device.local_commands(f"edge --gateway {here} --listen 0.0.0.0")
        yield from _cameras_of_one_device(configuration)
    yield from ("How it is, and what to do about it:", "", f"  {device.program} status --gateway {address}", "")
    yield _home_assistant(configuration, address)


def _cameras_of_one_device(configuration: Configuration) -> Iterator[str]:
    """Yield what to write for cameras that are paths, which the edge of one device alone can read."""
    cameras = [name for name, camera in configuration.cameras.items() if is_path(camera.source.get_secret_value())]
    if cameras:
        named = f"Camera {cameras[0]} is" if len(cameras) == 1 else f"Cameras {', '.join(cameras)} are each"
        yield f"{named} on one device only: in the file, write edge: NAME there, with the --name of that device's edge."
        yield ""


def _home_assistant(configuration: Configuration, address: str) -> str:
    mqtt = configuration.mqtt
    if mqtt.host is not None:
        return f"Home Assistant shows the cameras by itself, when its MQTT integration uses the broker {mqtt.host}."
    return f"Home Assistant: add its MQTT integration with broker {address}, port {mqtt.port}, without a user name."
