"""Reads secrets outside the configuration: by name in secrets.yaml beside it, or each in its own file."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from gateway.configuration.quoting import did_you_mean
from gateway.configuration.reading.mistakes import LocatedMistake
from gateway.configuration.reading.yaml_nodes import UnreadableError, compose_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECRETS_FILE_NAME = "secrets.yaml"

FILE_TAG = "!file"

MAX_CONFIGURATION_BYTES = 1 << 20
"""The largest file; a configuration of a hundred cameras has a tenth of it."""


@dataclass(slots=True)
class SecretFile:
    """The secrets of the configuration in one folder: secrets.yaml, read at the first access, and tagged files."""

    folder: Path
    mistakes: list[LocatedMistake] = field(default_factory=list)
    warnings: list[LocatedMistake] = field(default_factory=list)
    _values: dict[str, str] | None = None

    @property
    def path(self) -> Path:
        """Return the path of secrets.yaml."""
        return self.folder / SECRETS_FILE_NAME

    @property
    def tags(self) -> dict[str, Callable[[str], str]]:
        """Return the functions that read secrets, by their tags in the configuration."""
        return {"!secret": self.secret, FILE_TAG: self.read_tagged_file}

    @property
    def values(self) -> Mapping[str, str]:
        """Return all secrets of secrets.yaml by name; add its mistakes to `mistakes`."""
        if self._values is None:
            self._values = self._read()
        return self._values

    def read_tagged_file(self, name: str) -> str:
        """Return a file's text without the end of its last line, as in Docker's secrets. Raises ValueError."""
        path = resolve_file_tag(name, self.folder)
        try:
            return read_bounded(path).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not text in UTF-8; write the secret there, as text") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read: {read_failure(error)}; write the path of a file") from None

    def secret(self, name: str) -> str:
        """Return a secret of secrets.yaml.

        Raises ValueError; its message does not quote the name, because people may write the secret itself there.
        """
        values = self.values
        if name not in values:
            if not self.path.exists():
                raise ValueError(f"{self.path} not found; write the secret there, as name: value")
            raise ValueError(f"name not found in {SECRETS_FILE_NAME}; {_remedy_for(name, list(values))}")
        return values[name]

    def _read(self) -> dict[str, str]:
        try:
            content = read_bounded(self.path)
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self.mistakes.append(
                LocatedMistake(str(self.path), 1, "", f"cannot be read: {read_failure(error)}", "check its permissions")
            )
            return {}
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            what = "other users can read it"
            self.warnings.append(LocatedMistake(str(self.path), 1, "", what, f"run chmod 600 {self.path}"))
        try:
            return self._pairs(compose_yaml(str(self.path), content))
        except UnreadableError as error:
            self.mistakes.append(error.mistake)
            return {}

    def _pairs(self, root: yaml.Node | None) -> dict[str, str]:
        values: dict[str, str] = {}
        if root is not None and not isinstance(root, yaml.MappingNode):
            self.mistakes.append(
                LocatedMistake(str(self.path), 1, "", "not a list of names with values", "write name: value")
            )
            return values
        for key, item in root.value if root is not None else ():
            line = key.start_mark.line + 1
            if not (isinstance(key, yaml.ScalarNode) and isinstance(item, yaml.ScalarNode)):
                self.mistakes.append(LocatedMistake(str(self.path), line, "", "not a secret", "write name: value"))
            elif key.value in values:
                self.mistakes.append(LocatedMistake(str(self.path), line, key.value, "written twice", "keep one"))
            else:
                values[key.value] = item.value
        return values


def resolve_file_tag(name: str, folder: Path) -> Path:
    """Return the path of the file that a tag names; a relative one is relative to `folder`."""
    return folder / Path(name).expanduser()


def read_bounded(path: Path) -> bytes:
    """Return a file's content. Raises OSError, and ValueError when it is too large."""
    with path.open("rb") as stream:
        content = stream.read(MAX_CONFIGURATION_BYTES + 1)
    if len(content) > MAX_CONFIGURATION_BYTES:
        raise ValueError(f"it is larger than {MAX_CONFIGURATION_BYTES >> 20} MiB")
    return content


def read_failure(error: OSError | ValueError) -> str:
    """Return why a file cannot be read."""
    return (error.strerror or "no reason is known").lower() if isinstance(error, OSError) else str(error)


def _remedy_for(name: str, known: list[str]) -> str:
    likely = did_you_mean(name, known)
    return likely if likely.startswith("did") else "write it there, as name: value"
