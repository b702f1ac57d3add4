"""Finds the files that the values of a configuration name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from shared.settings.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTIONS_WITHOUT_FILES = frozenset({"cameras", "state"})
"""Sections that name no files of the gateway: the path of a camera is on its edge, and the state is a folder."""

MODEL_COMPANIONS = {".onnx": (".json",), ".cfg": (".json", ".weights")}
"""The endings of files that belong to a model and have its name, by the ending of the model."""

_SYSTEM_FOLDERS = ("/bin/", "/sbin/", "/lib/", "/usr/", "/dev/", "/proc/", "/sys/")
"""Folders whose files are not returned: files of packages and of the kernel, such as programs that hooks call."""


def find_named_files(configuration: Section, folder: Path) -> list[Path]:
    """Return the existing files that a configuration names, with the companions of models, but no files of the system.

    A file is named by a value that is a path, or by any text that is the path of a file, such as the argument of a
    command. Relative paths are relative to `folder`, the folder of the configuration file; it is also the working
    directory of the gateway's service.
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
    """Yield everything in a value that may be a path, except for secrets."""
    if isinstance(value, Section):
        yield from _paths([item for _, item in value])
    elif isinstance(value, dict):
        yield from _paths(list(value.values()))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from _paths(item)
    elif isinstance(value, Path) or (isinstance(value, str) and "/" in value and "\0" not in value):
        yield Path(value).expanduser()
