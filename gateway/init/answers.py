"""Checks the answers in `deepthings init`, and makes sections of the configuration from them.

Messages never quote an answer that may contain a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from gateway.configuration.cameras import CameraSection
from gateway.configuration.mqtt import MqttSection
from gateway.configuration.names import check_host, check_label, check_name, require_distinct
from gateway.configuration.objects import ObjectsSection
from gateway.configuration.quoting import did_you_mean, quote_word
from gateway.configuration.root import ClusterSection, Configuration
from shared.cli.role_arguments import make_absolute
from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.network.ports import PUBLIC_PORT, PUBLIC_TLS_PORT
from shared.settings.section import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

OWN_BROKER = MqttSection()
"""The section for a house without a broker: people and automations use the gateway's own broker."""

USUAL_LABELS = ObjectsSection().track

SectionType = TypeVar("SectionType", bound=Section)


def build_broker(
    host: str, port: int, *, encrypted: bool = False, ca: Path | None = None, username: str = "", password: str = ""
) -> MqttSection:
    """Return the section mqtt for a broker of the house, with a login. Raises ConfigurationError."""
    _require_printable(username, "username of the broker")
    _require_printable(password, "password of the broker")
    tls = ({"ca": ca.absolute()} if ca else True) if encrypted or ca else None
    values = {"host": host, "port": port, "username": username or None, "password": password or None, "tls": tls}
    return _section(MqttSection, "broker", values)


def parse_broker_address(text: str, *, encrypted: bool) -> Address:
    """Return HOST or HOST:PORT as an address. Raises ConfigurationError."""
    address = Address.parse(text, PUBLIC_TLS_PORT if encrypted else PUBLIC_PORT)
    return Address(parse_host(address.host), address.port)


def parse_host(text: str) -> str:
    """Return the name or address of a device. Raises ConfigurationError."""
    return _run_check(check_host, text.strip(), "host")


def build_camera(name: str, source: str) -> CameraSection:
    """Return the section of a camera with this address; a path becomes absolute. Raises ConfigurationError."""
    _require_printable(source, f"address of camera {name}")
    return _section(CameraSection, f"camera {name}", {"source": make_absolute(source.strip(), is_path=False)})


def parse_camera_name(text: str, taken: Iterable[str] = ()) -> str:
    """Return the name of a camera that is not `taken`. Raises ConfigurationError."""
    name = _run_check(check_name, text.strip(), "name of a camera")
    if name in taken:
        raise ConfigurationError(f"camera {name} already exists; write another name")
    return name


def parse_named_camera(text: str) -> tuple[str, str]:
    """Return name and address of NAME=ADDRESS. Raises ConfigurationError."""
    name, equals, source = text.partition("=")
    if not equals or not source.strip():
        raise ConfigurationError(
            "invalid, as it is not NAME=ADDRESS; write for example front_door=rtsp://192.168.1.20/stream2"
        )
    return parse_camera_name(name), source


def parse_labels(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a list with commas, all of which must be `known`. Raises ConfigurationError."""
    wanted = tuple(word.strip() for word in text.split(",") if word.strip())
    if not wanted:
        raise ConfigurationError("missing label; write for example person, car")
    for label in wanted:
        _run_check(check_label, label, f"label {quote_word(label)}")
        if label not in known:
            raise ConfigurationError(f"the model has no label {quote_word(label)}; {did_you_mean(label, known)}")
    return _run_check(require_distinct, wanted, "labels")


def build_configuration(
    mqtt: MqttSection, cameras: Mapping[str, CameraSection], listen: str, track: Sequence[str]
) -> Configuration:
    """Return the configuration of these answers."""
    return Configuration(
        mqtt=mqtt,
        cameras=dict(cameras),
        cluster=ClusterSection(listen=listen),
        objects=ObjectsSection(track=tuple(track)),
    )


def _section(kind: type[SectionType], what: str, values: Mapping[str, object]) -> SectionType:
    """Return a section of the configuration. Raises ConfigurationError, which quotes no values."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = first.get("ctx", {}).get("error", first["msg"])
        raise ConfigurationError(f"{what}: {field + ': ' if field else ''}{reason}") from None


AnswerValue = TypeVar("AnswerValue")


def _run_check(check: Callable[[Any], AnswerValue], value: object, what: str) -> AnswerValue:
    """Return what `check(value)` returns.

    Raises ConfigurationError instead of its ValueError; `what` begins the message.
    """
    try:
        return check(value)
    except ValueError as error:
        raise ConfigurationError(f"{what}: {error}") from None


def _require_printable(text: str, what: str) -> None:
    if not text.isprintable():
        raise ConfigurationError(
            f"{what}: invalid, as it has characters that cannot be printed; write one line of text"
        )
