"""Lists the commands to type after `deepthings init`. Pure."""

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
"""An example name of an edge."""


@dataclass(frozen=True, slots=True)
class ThisDevice:
    """The gateway's device: its address for other devices, and how to call the console script on it.

    `program_of_root` is the command with sudo; `program_elsewhere` the one on other devices, which have a copy of the
    same repository.
    """

    address: str
    program: str = "deepthings"
    program_of_root: str = "deepthings"
    program_elsewhere: str = "deepthings"

    def local_commands(self, role: str) -> Iterator[str]:
        """Yield the command that runs a role on this device, and the one that installs it as a service."""
        yield from (f"  {self.program} {role}", f"  sudo {self.program_of_root} service install {role}", "")

    def remote_commands(self, role: str) -> Iterator[str]:
        """Yield the same commands as they are typed on another device."""
        program = self.program_elsewhere
        yield from (f"  {program} {role}", f"  sudo {program} service install {role}", "")


def next_steps(configuration: Configuration, file: Path, device: ThisDevice) -> Iterator[str]:
    """Yield the lines with commands for the gateway, the edges and the status; `file` is absolute."""
    listen = configuration.cluster.listen
    local = LOOPBACK if is_wildcard(listen) else listen
    address = device.address if is_wildcard(listen) else listen
    yield from ("On this device, the gateway; the second line makes it a service:", "")
    yield from device.local_commands(f"gateway --config {shlex.quote(str(file))}")
    if is_loopback(listen):
        yield from ("On this device, too, an edge, which computes:", "")
        yield from device.local_commands(f"edge --gateway {local}")
    else:
        yield from (f"For each other device, with its own name instead of {OTHER_NAME}, first on this one:", "")
        yield from (f"  {device.program} invite {OTHER_NAME}", "")
        yield from ("It prints a command that lets the other device in. Paste it there, and then type there:", "")
        yield from device.remote_commands("edge --listen 0.0.0.0")
        yield from _cameras_of_one_device(configuration)
    yield from ("To check the status, and see what to do:", "", f"  {device.program} status --gateway {address}", "")
    yield _home_assistant(configuration, address)


def _cameras_of_one_device(configuration: Configuration) -> Iterator[str]:
    """Yield a hint for cameras whose source is a path, which only one device can read."""
    cameras = [name for name, camera in configuration.cameras.items() if is_path(camera.source.get_secret_value())]
    if cameras:
        named = f"Camera {cameras[0]} is" if len(cameras) == 1 else f"Cameras {', '.join(cameras)} are each"
        yield f"{named} on one device only: in the file, write edge: NAME there, with the --name of that device's edge."
        yield ""


def _home_assistant(configuration: Configuration, address: str) -> str:
    mqtt = configuration.mqtt
    if mqtt.host is not None:
        return f"Home Assistant shows the cameras automatically when its MQTT integration uses the broker {mqtt.host}."
    return f"Home Assistant: add its MQTT integration with broker {address}, port {mqtt.port}, without a user name."
