"""Finds the files that a configuration names, in any section."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from shared.settings.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTIONS_WITHOUT_FILES = frozenset({"cameras", "state"})
"""A camera's path is one on its edge; the state is a folder that the gateway makes."""

MODEL_COMPANIONS = {".onnx": (".json",), ".cfg": (".json", ".weights")}
"""Endings of files that belong to a model and have its name."""

_SYSTEM_FOLDERS = ("/bin/", "/sbin/", "/lib/", "/usr/", "/dev/", "/proc/", "/sys/")
"""Files of packages and of the kernel, such as programs that hooks call."""


def find_named_files(configuration: Section, folder: Path) -> list[Path]:
    """Return the existing files that a configuration names, with their companions, but no files of the system.

    Values that are paths count, and all text that is the path of a file, such as arguments of commands. Relative paths
    are relative to `folder`, that of the configuration file, which is the working directory of its service.
    """
    found = set()
    values = (
        getattr(configuration, name) for name in type(configuration).model_fields if name not in SECTIONS_WITHOUT_FILES
    )
    for path in (folder / name for name in _paths(values)):
        if str(path).startswith(_SYSTEM_FOLDERS):
            continue
        beside = (path.with_suffix(suffix) for suffix in MODEL_COMPANIONS.get(path.suffix, ()))
        found |= {file for file in (path, *beside) if _is_file(file)}
    return sorted(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long, or its folder is not accessible
        return False


def _paths(value: object) -> Iterator[Path]:
    """Yield everything that may be a path in a value, but no secrets."""
    if isinstance(value, Section):
        yield from _paths([item for _, item in value])
    elif isinstance(value, dict):
        yield from _paths(list(value.values()))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from _paths(item)
    elif isinstance(value, Path) or (isinstance(value, str) and "/" in value and "\0" not in value):
        yield Path(value).expanduser()
