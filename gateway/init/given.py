"""Reads the options of `deepthings init` that replace answers to its questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.configuration.reading.secret_file import SecretFile
from gateway.init import answers
from shared.errors import ConfigurationError
from shared.network.addresses import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.mqtt import MqttSection
    from gateway.configuration.root import Configuration


@dataclass(frozen=True, slots=True)
class GivenAnswers:
    """The parts of a configuration that options give; None or empty if they are not given."""

    mqtt: MqttSection | None
    cameras: Mapping[str, CameraSection]
    track: tuple[str, ...]
    listen: str | None

    def build_configuration(self) -> Configuration:
        """Return the configuration, completed by defaults.

        Raises ConfigurationError, which names all missing options.
        """
        missing = ["--broker HOST[:PORT] or --no-broker"] if self.mqtt is None else []
        missing += [] if self.cameras else ["--camera NAME=ADDRESS"]
        if missing:
            raise ConfigurationError(f"missing options; write {', and '.join(missing)}")
        mqtt = self.mqtt or answers.OWN_BROKER
        return answers.build_configuration(
            mqtt, self.cameras, self.listen or LOOPBACK, self.track or answers.USUAL_LABELS
        )


def given_broker(
    address: str | None,
    username: str | None,
    password_file: Path | None,
    *,
    none: bool,
    encrypted: bool,
    ca: Path | None,
) -> MqttSection | None:
    """Return the section mqtt that the options give; None if they give none. Raises ConfigurationError."""
    login = {"--username": username, "--password-file": password_file, "--tls": encrypted, "--ca": ca}
    if address is None:
        alone = [option for option, value in login.items() if value]
        if alone:
            raise ConfigurationError(f"{alone[0]} without --broker; write --broker HOST[:PORT]")
        return answers.OWN_BROKER if none else None
    if none:
        raise ConfigurationError("--broker and --no-broker exclude each other; write one of them")
    if password_file is not None and not username:
        raise ConfigurationError("--password-file without --username; write --username NAME")
    server = answers.parse_broker_address(address, encrypted=encrypted or ca is not None)
    password = _password(password_file) if password_file is not None else ""
    return answers.build_broker(*server, encrypted=encrypted, ca=ca, username=username or "", password=password)


def given_cameras(pairs: Iterable[tuple[str, str]]) -> dict[str, CameraSection]:
    """Return cameras from names and addresses. Raises ConfigurationError."""
    cameras: dict[str, CameraSection] = {}
    for name, source in pairs:
        cameras[answers.parse_camera_name(name, cameras)] = answers.build_camera(name, source)
    return cameras


def given_labels(lists: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return labels from options that may have several each; () without options. Raises ConfigurationError."""
    return answers.parse_labels(",".join(lists), known) if lists else ()


def _password(path: Path) -> str:
    try:
        password = SecretFile(Path()).read_tagged_file(str(path))
    except ValueError as error:
        raise ConfigurationError(f"--password-file {error}") from None
    if not password:
        raise ConfigurationError(f"--password-file {path} is empty; write the password there, alone")
    return password
