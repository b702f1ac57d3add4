"""Reads the files of the page into memory: they are few and small, and so no path of a request reaches the disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The content types by ending. Files with other endings, such as licences, are not served."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file, its content type, and its entity tag, which changes with the content."""

    content: bytes
    kind: str
    tag: str


def read_static_files(folder: Path = STATIC) -> dict[str, StaticFile]:
    """Return the files to serve, by their path below the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in CONTENT_TYPES:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            found[path.relative_to(folder).as_posix()] = StaticFile(content, CONTENT_TYPES[path.suffix], tag)
    return found
