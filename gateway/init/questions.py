"""The questions at a terminal; what can be tried is tried at once, and asked again when the person wants to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.configuration.connect_check import try_broker, try_camera
from gateway.init import answers
from gateway.init.files import free_name, require_possible
from shared.cli.common_options import Parsed
from shared.errors import ConfigurationError
from shared.network.addresses import LOOPBACK
from shared.network.ports import PUBLIC_PORT, PUBLIC_TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.configuration.cameras import Camera
    from gateway.configuration.connect_check import Trial
    from gateway.configuration.mqtt import Mqtt
    from gateway.configuration.root import Configuration
    from gateway.init.given import Given
    from shared.model.arrays import Pixels

USUAL_HOST = "homeassistant.local"
"""Where Home Assistant is found, and its Mosquitto app with it."""

EXAMPLES = """
The address of a camera may have a user and a password in it. Some examples:
  rtsp://USER:PASSWORD@192.168.1.20/stream2                    TP-Link Tapo
  rtsp://USER:PASSWORD@192.168.1.20/h264Preview_01_sub         Reolink
  rtsp://USER:PASSWORD@192.168.1.20/Streaming/Channels/102     Hikvision
  rtsp://USER:PASSWORD@192.168.1.20/cam/realmonitor?channel=1&subtype=1    Dahua, Amcrest
  http://192.168.1.20/snapshot.jpg    a picture, or Motion JPEG
  /dev/video0                         a USB camera of this device
  test://640x360?fps=10               a moving pattern, when there is no camera yet
"""
"""Addresses of sub-streams, which are small enough for a Raspberry Pi."""

LABELS_SHOWN = 12
"""Labels that a question lists; a model may have a thousand."""


def ask_file(file: Path, *, replaces: bool) -> Path:
    """Return where the configuration is to be written: a new file, unless it `replaces` one.

    Raises ConfigurationError for what can be no configuration.
    """
    if replaces or not file.is_file():
        require_possible(file, replaces=replaces)
        return file

    def new(text: str) -> Path:
        path = Path(text).expanduser()
        require_possible(path, replaces=False)
        return path

    click.echo(f"{file} is there already, and stays as it is.")
    chosen: Path = click.prompt("Another name", default=str(free_name(file)), type=Parsed("FILE", new))
    return chosen


@dataclass(slots=True)
class Interview:
    """Asks for what is not given. `pictures` are those that are wanted beside the file, by camera."""

    file: Path
    tries: bool
    pictures: dict[Path, Pixels] = field(default_factory=dict)

    def configuration(self, given: Given, address: str, known: Sequence[str]) -> Configuration:
        """Return what is given and answered. `address` is this device's, for others; `known` are the model's labels."""
        click.echo(f"This makes {self.file.absolute()}. Enter takes what is in brackets; Ctrl-C leaves nothing behind.")
        mqtt = self._settled_broker(given.mqtt)
        cameras = self._settled_cameras(given.cameras)
        track = given.track or _ask_labels(known)
        listen = given.listen or _ask_listen(address, has_broker=mqtt.host is not None)
        return answers.configuration(mqtt, cameras, listen, track)

    def _settled_broker(self, given: Mqtt | None) -> Mqtt:
        """Return the broker, once it lets us in, or the person goes on without that."""
        mqtt = given or _ask_broker(None)
        while self.tries and mqtt.host is not None and not _goes_on(_tried(mqtt)):
            mqtt = _ask_broker(mqtt)
        return mqtt

    def _settled_cameras(self, given: Mapping[str, Camera]) -> dict[str, Camera]:
        """Return the cameras, each once it gives a picture, or the person goes on without that."""
        settled: dict[str, Camera] = {}
        for name, camera in given.items():
            self._settle(name, camera, settled)
        if given:
            return settled
        click.echo(EXAMPLES)
        while not settled or click.confirm("Another camera?", default=False):
            name = _ask_camera_name(settled, "" if settled else "front_door")
            self._settle(name, _ask_source(name), settled)
        return settled

    def _settle(self, name: str, camera: Camera, settled: dict[str, Camera]) -> None:
        picture = None
        while self.tries:
            click.echo(f"Trying camera {name} ...")
            trial, picture = try_camera(name, camera.settings)
            if _goes_on(trial):
                break
            name = _ask_camera_name(settled, name)
            camera = _ask_source(name)
        settled[name] = camera
        path = self.file.parent / f"{name}.jpg"
        if picture is not None and _wants_picture(path):
            self.pictures[path] = picture


def _tried(mqtt: Mqtt) -> Trial:
    click.echo(f"Trying broker {mqtt.host} ...")
    return try_broker(mqtt)


def _goes_on(trial: Trial) -> bool:
    """Tell what became of a trial. Return whether that is good enough."""
    click.echo(trial)
    if trial.ok is not False:
        return True
    return not click.confirm("Correct it, and try again? (n: go on with it as it is)", default=True)


def _ask_broker(before: Mqtt | None) -> Mqtt:
    """Return what is answered; answers of `before` are proposed again, except for its password."""
    if not click.confirm("Does your house have an MQTT broker, such as Home Assistant's Mosquitto?", default=True):
        click.echo("Then the gateway's own is for everybody.")
        return answers.OWN_BROKER
    usual_host = before.host if before else USUAL_HOST
    host = click.prompt("Its name or address", default=usual_host, type=Parsed("HOST", answers.host))
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
        return answers.broker(host, port, encrypted=encrypted, ca=ca, username=username, password=password)
    except ConfigurationError as error:
        click.echo(f"Error: {error}")
        return _ask_broker(before)


def _ask_ca() -> Path | None:
    def pem(text: str) -> Path | None:
        path = Path(text).expanduser()
        if text and not path.is_file():
            raise ConfigurationError(f"file {path} not found; write the path of a PEM file")
        return path if text else None

    words = "The CA that signed its certificate, as a file (empty: those that this device trusts)"
    ca: Path | None = click.prompt(words, default="", show_default=False, type=Parsed("FILE", pem))
    return ca


def _ask_camera_name(taken: Mapping[str, Camera], usual: str) -> str:
    def new(text: str) -> str:
        return answers.camera_name(text, taken)

    words = "Name of a camera, for topics and Home Assistant"
    name: str = click.prompt(words, default=usual or None, type=Parsed("NAME", new))
    return name


def _ask_source(name: str) -> Camera:
    def named(text: str) -> Camera:
        return answers.camera(name, text)

    camera: Camera = click.prompt("Its address", type=Parsed("ADDRESS", named))
    return camera


def _wants_picture(path: Path) -> bool:
    if path.exists():
        return click.confirm(f"Replace {path} by its picture, with a grid to read zones from?", default=False)
    return click.confirm(f"Write its picture, with a grid to read zones from, to {path}?", default=True)


def _ask_labels(known: Sequence[str]) -> tuple[str, ...]:
    def listed(text: str) -> tuple[str, ...]:
        return answers.labels(text, known)

    more = f" and {len(known) - LABELS_SHOWN} more" if len(known) > LABELS_SHOWN else ""
    click.echo(f"The model finds {', '.join(known[:LABELS_SHOWN])}{more}.")
    words = "Which of them are followed? Write commas between them"
    track: tuple[str, ...] = click.prompt(words, default=", ".join(answers.USUAL_LABELS), type=Parsed("LABELS", listed))
    return track


def _ask_listen(address: str, *, has_broker: bool) -> str:
    what = "compute for it" if has_broker else "compute for it, or use its broker"
    question = f"Will other devices {what}? It then listens on its network, as {address}"
    return "0.0.0.0" if click.confirm(question, default=False) else LOOPBACK  # noqa: S104  (it was asked for)
