"""Describes mistakes in a configuration file, with their paths and lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.configuration.quoting import is_quotable

KeyPath = tuple[str | int, ...]
"""Keys and positions in lists, from the top of the file."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake at a path: what is wrong, and `right`, what to write instead."""

    path: KeyPath
    what: str
    right: str = ""

    @classmethod
    def parse(cls, path: KeyPath, message: str) -> Mistake:
        """Return a mistake from a message of the form "what is wrong; what to write"."""
        what, _, right = message.partition("; ")
        return cls(path, what, right)

    def without_value(self) -> Mistake:
        """Return a copy without the value, which is secret, and without examples made from it."""
        return Mistake(
            self.path, "the value of ${...} or !secret is invalid", self.right.partition(", for example ")[0]
        )


@dataclass(frozen=True, slots=True, order=True)
class LocatedMistake:
    """A mistake with its line in a file; the first line is 1."""

    file: str
    line: int
    path: str
    what: str
    right: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: "
        return (
            place
            + ": ".join(part for part in (self.path, self.what) if part)
            + (f"; {self.right}" if self.right else "")
        )


def dotted_path(path: KeyPath) -> str:
    """Return a path as text, such as cameras.front.zones.yard or hooks.webhooks[0].url.

    A key that may contain a password, such as an address, becomes "...".
    """
    text = ""
    for part in path:
        key = str(part) if is_quotable(str(part)) else "..."
        text += f"[{part}]" if isinstance(part, int) else f".{key}" if text else key
    return text
