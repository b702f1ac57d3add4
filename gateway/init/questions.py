"""Asks the questions of `deepthings init` at a terminal, and tries the broker and each camera when it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.configuration.connect_check import try_broker, try_camera
from gateway.init import answers
from gateway.init.files import free_name, require_writable
from shared.cli.common_options import ParsedType
from shared.errors import ConfigurationError
from shared.network.addresses import LOOPBACK
from shared.network.ports import PUBLIC_PORT, PUBLIC_TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.connect_check import ConnectionTrial
    from gateway.configuration.mqtt import MqttSection
    from gateway.configuration.root import Configuration
    from gateway.init.given import GivenAnswers
    from shared.model.arrays import Pixels

USUAL_HOST = "homeassistant.local"
"""The usual name of Home Assistant, and of its Mosquitto app."""

ADDRESS_EXAMPLES = """
The address of a camera may contain a user and a password. Some examples:
  rtsp://USER:PASSWORD@192.168.1.20/stream2                    TP-Link Tapo
  rtsp://USER:PASSWORD@192.168.1.20/h264Preview_01_sub         Reolink
  rtsp://USER:PASSWORD@192.168.1.20/Streaming/Channels/102     Hikvision
  rtsp://USER:PASSWORD@192.168.1.20/cam/realmonitor?channel=1&subtype=1    Dahua, Amcrest
  http://192.168.1.20/snapshot.jpg    a picture, or Motion JPEG
  /dev/video0                         a USB camera of this device
  test://640x360?fps=10               a moving pattern, if you have no camera yet
"""
"""Examples of addresses, with sub-streams, which are small enough for a Raspberry Pi."""

_MAX_LABELS = 12
"""Labels that a question lists; a model may have a thousand."""


def ask_file(file: Path, *, replaces: bool) -> Path:
    """Return the path for the configuration: a new file, unless it `replaces` one.

    Raises ConfigurationError for an invalid path.
    """
    if replaces or not file.is_file():
        require_writable(file, replaces=replaces)
        return file

    def new(text: str) -> Path:
        path = Path(text).expanduser()
        require_writable(path, replaces=False)
        return path

    click.echo(f"{file} already exists and is not changed.")
    chosen: Path = click.prompt("Another name", default=str(free_name(file)), type=ParsedType("FILE", new))
    return chosen


@dataclass(slots=True)
class Interview:
    """Asks for the parts of the configuration that options do not give.

    `tries`: the broker and cameras are tried. `pictures` are the pictures to write, uint8 BGR (H, W, 3), by path.
    """

    file: Path
    tries: bool
    pictures: dict[Path, Pixels] = field(default_factory=dict)

    def ask_configuration(self, given: GivenAnswers, address: str, known: Sequence[str]) -> Configuration:
        """Return the configuration that options and answers give.

        `address` is the address of this device for others; `known` are the model's labels.
        """
        click.echo(f"This writes {self.file.absolute()}. Enter accepts the default in brackets; Ctrl-C writes nothing.")
        mqtt = self._settled_broker(given.mqtt)
        cameras = self._settled_cameras(given.cameras)
        track = given.track or _ask_labels(known)
        listen = given.listen or _ask_listen(address, has_broker=mqtt.host is not None)
        return answers.build_configuration(mqtt, cameras, listen, track)

    def _settled_broker(self, given: MqttSection | None) -> MqttSection:
        """Return the broker, as soon as it can be reached, or the person accepts that it cannot."""
        mqtt = given or _ask_broker(None)
        while self.tries and mqtt.host is not None and not _continues(_try_broker(mqtt)):
            mqtt = _ask_broker(mqtt)
        return mqtt

    def _settled_cameras(self, given: Mapping[str, CameraSection]) -> dict[str, CameraSection]:
        """Return the cameras; each is settled when it gives a picture, or the person accepts that it does not."""
        settled: dict[str, CameraSection] = {}
        for name, camera in given.items():
            self._settle(name, camera, settled)
        if given:
            return settled
        click.echo(ADDRESS_EXAMPLES)
        while not settled or click.confirm("Another camera?", default=False):
            name = _ask_camera_name(settled, "" if settled else "front_door")
            self._settle(name, _ask_source(name), settled)
        return settled

    def _settle(self, name: str, camera: CameraSection, settled: dict[str, CameraSection]) -> None:
        """Try a camera, ask for corrections, and add it to `settled`; keep its picture if the person wants it."""
        picture = None
        while self.tries:
            click.echo(f"Trying camera {name} ...")
            trial, picture = try_camera(name, camera.settings)
            if _continues(trial):
                break
            name = _ask_camera_name(settled, name)
            camera = _ask_source(name)
        settled[name] = camera
        path = self.file.parent / f"{name}.jpg"
        if picture is not None and _wants_picture(path):
            self.pictures[path] = picture


def _try_broker(mqtt: MqttSection) -> ConnectionTrial:
    click.echo(f"Trying broker {mqtt.host} ...")
    return try_broker(mqtt)


def _continues(trial: ConnectionTrial) -> bool:
    """Print the result of a trial. Return whether to continue with it."""
    click.echo(trial)
    if trial.ok is not False:
        return True
    return not click.confirm("Correct it, and try again? (n: continue with it as it is)", default=True)


def _ask_broker(before: MqttSection | None) -> MqttSection:
    """Ask for the broker, and return it; the earlier answers `before` are the defaults, except for the password."""
    if not click.confirm("Does your house have an MQTT broker, such as Home Assistant's Mosquitto?", default=True):
        click.echo("Then everyone uses the gateway's own broker.")
        return answers.OWN_BROKER
    usual_host = before.host if before else USUAL_HOST
    host = click.prompt("Its name or address", default=usual_host, type=ParsedType("HOST", answers.parse_host))
    encrypted = click.confirm("Is the connection encrypted (TLS)?", default=bool(before and before.tls))
    usual_port = PUBLIC_TLS_PORT if encrypted else PUBLIC_PORT
    if before and bool(before.tls) is encrypted:
        usual_port = before.port
    port = click.prompt("Its port", default=usual_port, type=click.IntRange(1, 65535))
    ca = _ask_ca() if encrypted else None
    usual_name = (before and before.username) or ""
    username = click.prompt("Your user name there (empty: none)", default=usual_name, show_default=bool(usual_name))
    password = ""
    if username:
        password = click.prompt("Its password (is not shown)", default="", show_default=False, hide_input=True)
    try:
        return answers.build_broker(host, port, encrypted=encrypted, ca=ca, username=username, password=password)
    except ConfigurationError as error:
        click.echo(f"Error: {error}")
        return _ask_broker(before)


def _ask_ca() -> Path | None:
    def pem(text: str) -> Path | None:
        path = Path(text).expanduser()
        if text and not path.is_file():
            raise ConfigurationError(f"file {path} not found; write the path of a PEM file")
        return path if text else None

    question = "The CA that signed its certificate, as a file (empty: those that this device trusts)"
    ca: Path | None = click.prompt(question, default="", show_default=False, type=ParsedType("FILE", pem))
    return ca


def _ask_camera_name(taken: Mapping[str, CameraSection], usual: str) -> str:
    def new(text: str) -> str:
        return answers.parse_camera_name(text, taken)

    question = "Name of a camera, for topics and Home Assistant"
    name: str = click.prompt(question, default=usual or None, type=ParsedType("NAME", new))
    return name


def _ask_source(name: str) -> CameraSection:
    def named(text: str) -> CameraSection:
        return answers.build_camera(name, text)

    camera: CameraSection = click.prompt("Its address", type=ParsedType("ADDRESS", named))
    return camera


def _wants_picture(path: Path) -> bool:
    if path.exists():
        return click.confirm(f"Replace {path} by its picture, with a grid to read zones from?", default=False)
    return click.confirm(f"Write its picture, with a grid to read zones from, to {path}?", default=True)


def _ask_labels(known: Sequence[str]) -> tuple[str, ...]:
    def listed(text: str) -> tuple[str, ...]:
        return answers.parse_labels(text, known)

    more = f" and {len(known) - _MAX_LABELS} more" if len(known) > _MAX_LABELS else ""
    click.echo(f"The model finds {', '.join(known[:_MAX_LABELS])}{more}.")
    question = "Which of them are followed? Write commas between them"
    track: tuple[str, ...] = click.prompt(
        question, default=", ".join(answers.USUAL_LABELS), type=ParsedType("LABELS", listed)
    )
    return track


def _ask_listen(address: str, *, has_broker: bool) -> str:
    use = "compute for it" if has_broker else "compute for it, or use its broker"
    question = f"Will other devices {use}? It then listens on its network, as {address}"
    return "0.0.0.0" if click.confirm(question, default=False) else LOOPBACK  # noqa: S104  (it was asked for)
