"""Files that a configuration names, whichever section names them."""

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
"""What belongs to a model, under its name."""

_SYSTEM_FOLDERS = ("/bin/", "/sbin/", "/lib/", "/usr/", "/dev/", "/proc/", "/sys/")
"""What packages and the kernel bring: programs that hooks call."""


def find_named_files(configuration: Section, folder: Path) -> list[Path]:
    """Return the files, with what belongs to each, by name. Those of the system, and names of none, are left out.

    Values that are paths count, and all text that is the path of a file: arguments of commands, for example. What is
    relative is so to `folder`, that of the configuration file, where its service is started.
    """
    found = set()
    values = (
        getattr(configuration, name) for name in type(configuration).model_fields if name not in SECTIONS_WITHOUT_FILES
    )
    for path in (folder / each for each in _paths(values)):
        if str(path).startswith(_SYSTEM_FOLDERS):
            continue
        beside = (path.with_suffix(suffix) for suffix in MODEL_COMPANIONS.get(path.suffix, ()))
        found |= {each for each in (path, *beside) if _is_file(each)}
    return sorted(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or below a folder that is closed to us
        return False


def _paths(value: object) -> Iterator[Path]:
    """Yield all that may be a path in a value; a secret, whose text is hidden, is none."""
    if isinstance(value, Section):
        yield from _paths([item for _, item in value])
    elif isinstance(value, dict):
        yield from _paths(list(value.values()))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from _paths(item)
    elif isinstance(value, Path) or (isinstance(value, str) and "/" in value and "\0" not in value):
        yield Path(value).expanduser()
