"""Writes the texts of a first deepthings.yaml and of its secrets. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING

from camera_sources.urls.redaction import redacted
from camera_sources.urls.schemes import is_path, scheme_of
from shared.network.hosts import is_loopback
from shared.network.ports import PUBLIC_PORT, PUBLIC_TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gateway.configuration.mqtt import MqttSection
    from gateway.configuration.root import Configuration

SCHEMA_FILE_NAME = "deepthings.schema.json"

_PATTERN_SCHEME = "test"
"""The scheme of a moving pattern, whose address contains no secrets."""

_PLAIN = re.compile(r"[A-Za-z/][\w./-]*(?::[\w./-]+)*|\d+(?:\.\d+){3}", re.ASCII)
"""Scalars that need no quotes: words, addresses, paths."""

_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""Words that some programs do not read as text in YAML; they need quotes."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The text of the configuration, and the secrets, by name, that must be added to the secrets.yaml beside it."""

    configuration: str
    secrets: Mapping[str, str] = field(repr=False)


def write_texts(
    configuration: Configuration, name: str, existing: Mapping[str, str], schema: Path | None = None
) -> Documents:
    """Return the text of a configuration, and its secrets. `name` is the name of its file.

    `existing` secrets are never changed; one with the same value is used again. `schema` is the path of the JSON Schema
    on this machine, None if there is none.
    """
    secrets = _Secrets(existing)
    sections = [
        _head(name, schema),
        _mqtt(configuration.mqtt, secrets),
        _cluster(configuration.cluster.listen),
        f"objects:\n  track: [{', '.join(map(yaml_quoted, configuration.objects.track))}]",
        "\n".join(["cameras:", *_cameras(configuration, secrets)]),
    ]
    return Documents("\n\n".join(sections) + "\n", secrets.added)


def append_secrets(text: str, added: Mapping[str, str]) -> str:
    """Return the text of a secrets.yaml with secrets added at its end."""
    head = text or "# Secrets of the configuration beside this file; nobody else should read them.\n"
    end = "" if head.endswith("\n") else "\n"
    return head + end + "".join(f"{name}: {yaml_quoted(value)}\n" for name, value in added.items())


def yaml_quoted(text: str) -> str:
    """Return printable text as a YAML scalar, in quotes if necessary."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return "'" + text.replace("'", "''") + "'"


class _Secrets:
    """Chooses names for secrets; `added` are those that do not exist yet."""

    def __init__(self, existing: Mapping[str, str]) -> None:
        self._existing = existing
        self.added: dict[str, str] = {}

    def tag(self, wanted: str, value: str) -> str:
        """Return the tag for a value in the configuration, with the wanted name, or a numbered one if that is taken."""
        for name in chain([wanted], (f"{wanted}_{number}" for number in count(2))):
            known = self._existing.get(name, self.added.get(name))
            if known in {None, value}:
                if known is None:
                    self.added[name] = value
                return f"!secret {name}"
        raise AssertionError("unreachable: count() does not end")


def _head(name: str, schema: Path | None) -> str:
    lines = [
        f"# yaml-language-server: $schema={schema or SCHEMA_FILE_NAME}",
        "# Written by 'deepthings init'; docs/configuration.md has every key. After a change:",
        f"#     deepthings check-config {name}",
    ]
    if schema is None:
        lines.append(f"# For editors that complete keys: deepthings check-config --schema > {SCHEMA_FILE_NAME}")
    return "\n".join(lines)


def _mqtt(mqtt: MqttSection, secrets: _Secrets) -> str:
    if mqtt.host is None:
        return f"# Without mqtt: (the house's broker), everyone uses the gateway's own broker, at port {PUBLIC_PORT}."
    lines = ["mqtt:", f"  host: {yaml_quoted(mqtt.host)}"]
    if mqtt.port != (PUBLIC_TLS_PORT if mqtt.tls else PUBLIC_PORT):
        lines.append(f"  port: {mqtt.port}")
    if mqtt.username is not None:
        lines.append(f"  username: {_literal(mqtt.username)}")
    if mqtt.password is not None:
        tag = secrets.tag("mqtt_password", mqtt.password.get_secret_value())
        lines.append(f"  password: {tag}  # in secrets.yaml, beside this file")
    if mqtt.tls is not None:
        lines.append(f"  tls: {{ca: {_literal(str(mqtt.tls.ca))}}}" if mqtt.tls.ca else "  tls: true")
    return "\n".join(lines)


def _cluster(listen: str) -> str:
    about = "other devices cannot reach it" if is_loopback(listen) else "other devices reach the gateway"
    return f"cluster:\n  listen: {yaml_quoted(listen)}  # {about}"


def _cameras(configuration: Configuration, secrets: _Secrets) -> Iterator[str]:
    for number, (name, camera) in enumerate(configuration.cameras.items()):
        source = camera.source.get_secret_value()
        hidden = scheme_of(source) != _PATTERN_SCHEME and redacted(source) != source
        yield f"  {yaml_quoted(name)}:"
        yield f"    source: {secrets.tag(f'{name}_url', source) if hidden else _literal(source)}"
        if is_path(source):
            yield "    # edge: shed  # the name of the edge on the device that has it"
        if not number:
            yield f"    # zones:  # read from the picture of 'deepthings camera shot {name}', see docs/zones.md"


def _literal(text: str) -> str:
    """Return text as a YAML scalar in which dollars are doubled, so that they do not begin a variable."""
    return yaml_quoted(text.replace("$", "$$"))
