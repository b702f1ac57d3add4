"""What is wrong in a file, and where. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.configuration.quoting import is_quotable

KeyPath = tuple[str | int, ...]
"""Keys and positions in lists, from the top of the file."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something at a path: what is wrong, and what would be right. Only `right` is said of a value that is secret."""

    path: KeyPath
    what: str
    right: str = ""

    @classmethod
    def parse(cls, path: KeyPath, message: str) -> Mistake:
        """Of "what is wrong; what would be right"."""
        what, _, right = message.partition("; ")
        return cls(path, what, right)

    def without_value(self) -> Mistake:
        """The same without the value, and without what was made of it."""
        return Mistake(
            self.path, "what ${...} or !secret stands for there is not right", self.right.partition(", for example ")[0]
        )


@dataclass(frozen=True, slots=True, order=True)
class LocatedMistake:
    """A finding with its place in a file, the first line being 1."""

    file: str
    line: int
    path: str
    what: str
    right: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return (
            where
            + ": ".join(part for part in (self.path, self.what) if part)
            + (f"; {self.right}" if self.right else "")
        )


def dotted_path(path: KeyPath) -> str:
    """A path as people write it: cameras.front.zones.yard, hooks.webhooks[0].url; an address as a key is not told."""
    text = ""
    for part in path:
        key = str(part) if is_quotable(str(part)) else "..."
        text += f"[{part}]" if isinstance(part, int) else f".{key}" if text else key
    return text
