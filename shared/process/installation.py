"""The installation of DeepThings on this machine: from a clone or from a wheel, and its extras."""

from __future__ import annotations

import json
import re
import zipfile
from email.parser import BytesHeaderParser
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DISTRIBUTION_NAME = "deepthings"

MAX_METADATA_BYTES = 1 << 20
"""Bytes of a wheel's METADATA file that are read; it contains the readme."""

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?.*?;.*\bextra == ['\"](?P<of>[\w-]+)['\"]"
)


def find_clone() -> Path | None:
    """Return the folder of the clone that this process runs from; None for an installed wheel."""
    try:
        origin = json.loads(distribution(DISTRIBUTION_NAME).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    if not origin.get("dir_info", {}).get("editable"):
        return None
    folder = Path(unquote(urlsplit(origin.get("url", "")).path))
    return folder if (folder / ".git").exists() else None


def program_here() -> str:
    """Return the words to type for this program: "deepthings", or in a clone the path of its script."""
    return "deepthings" if find_clone() is None else "scripts/deepthings"


def installed_extras() -> list[str]:
    """Return the extras whose packages are all installed."""
    try:
        return complete_extras(distribution(DISTRIBUTION_NAME).requires or [], _is_installed)
    except PackageNotFoundError:
        return []


def complete_extras(requirements: Iterable[str], is_installed: Callable[[str], bool]) -> list[str]:
    """Return the extras whose requirements are all installed; an extra may include other extras."""
    packages: dict[str, set[str]] = {}
    inner: dict[str, set[str]] = {}
    for requirement in requirements:
        found = _REQUIREMENT.fullmatch(requirement.strip())
        if found is None:
            continue
        extra = found["of"]
        packages.setdefault(extra, set())
        if found["name"].lower() == DISTRIBUTION_NAME:
            inner.setdefault(extra, set()).update(name.strip() for name in (found["extras"] or "").split(","))
        else:
            packages[extra].add(found["name"])
    complete = {extra for extra, names in packages.items() if all(map(is_installed, names))}
    while broken := {extra for extra in complete if not inner.get(extra, set()) <= complete}:
        complete -= broken
    return sorted(complete)


def version_of_wheel(path: Path) -> str:
    """Return the version in a wheel of DeepThings. Raises ConfigurationError for any other file."""
    try:
        with zipfile.ZipFile(path) as wheel:
            metadata = re.compile(rf"{DISTRIBUTION_NAME}-[^/]*\.dist-info/METADATA")
            (name,) = filter(metadata.fullmatch, wheel.namelist())
            with wheel.open(name) as file:
                headers = BytesHeaderParser().parsebytes(file.read(MAX_METADATA_BYTES))
    except (ValueError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{path} is not a wheel of DeepThings: scripts/build makes one in dist/") from error
    return str(headers["Version"])


def _is_installed(name: str) -> bool:
    try:
        Distribution.from_name(name)
    except PackageNotFoundError:
        return False
    return True
