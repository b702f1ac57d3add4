"""What pydantic finds in a document, in words: what is wrong, and what would be right. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.configuration.quoting import did_you_mean, is_quotable
from gateway.configuration.reading.foreign_keys import hint_for
from gateway.configuration.reading.layout import keys_at
from gateway.configuration.reading.mistakes import Mistake

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gateway.configuration.reading.document import Document
    from gateway.configuration.reading.mistakes import KeyPath
    from shared.settings.section import Section

_LIMITS = {
    "greater_than": ("gt", "too small", "write more than {}"),
    "greater_than_equal": ("ge", "too small", "write {} or more"),
    "less_than": ("lt", "too large", "write less than {}"),
    "less_than_equal": ("le", "too large", "write at most {}"),
}

_TYPES = {
    "bool": ("neither true nor false", "write true or false"),
    "int": ("no whole number", "write digits alone, for example 30"),
    "float": ("no number", "write for example 30 or 0.5"),
    "finite": ("no finite number", "write for example 30 or 0.5"),
    "path": ("no path", "write the path of a file"),
    "tuple": ("no list", "write [a, b], or each on a line of its own behind a -"),
    "dict": ("no section", "write its names below it, indented, each with a colon"),
    "model": ("no section", "write its keys below it, indented, each with a colon"),
}


_WITHOUT_BLANK = re.compile(r"([a-z_]+):\S")
"""A key and its value, which YAML reads as one text."""


def mistake_of(error: ErrorDetails, document: Document, top: type[Section]) -> Mistake:
    """One error in words; without the value where it may be secret."""
    path = error_path(error)
    if error["type"] == "extra_forbidden":
        hint = hint_for(path)
        if hint:
            return Mistake(path, "a key of Frigate, which is not known here", hint)
        return Mistake(path, "unknown key", did_you_mean(str(path[-1]), keys_at(top, path[:-1])))
    if error["type"] == "missing":
        return Mistake(path, "is missing", f"write {path[-1]}: and its value")
    finding = Mistake(document.nearest_path(path), *_told(error, path, document))
    return finding.without_value() if document.is_secret(path) else finding


def error_path(error: ErrorDetails) -> KeyPath:
    """Where an error is; one of a key is where its value is."""
    return tuple(part for part in error["loc"] if part != "[key]")


def _told(error: ErrorDetails, path: KeyPath, document: Document) -> tuple[str, str]:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    shown = _shown(value, path, document)
    if kind == "value_error":
        what, _, right = str(context["error"]).partition("; ")
        return what, right
    if kind in _LIMITS:
        name, what, right = _LIMITS[kind]
        return f"{shown} is {what}", right.format(f"{context[name]:g}")
    if kind in {"literal_error", "enum"}:
        known = ["".join(word) for word in re.findall(r"'([^']*)'|(\d+)", str(context["expected"]))]
        return f"{shown} is not known", did_you_mean(str(value), known)
    if kind in {"too_short", "string_too_short"}:
        return "empty", "write at least one"
    if kind == "string_type":
        return _no_text(value, path, document)
    without_blank = _WITHOUT_BLANK.match(value) if kind == "model_type" and isinstance(value, str) else None
    what, right = _TYPES.get(kind.split("_", maxsplit=1)[0], ("not right", error["msg"]))
    if without_blank:
        shown, what, right = "this", "one text", f"write a blank behind {without_blank[1]}:"
    return f"{shown} is {what}", right


def _no_text(value: object, path: KeyPath, document: Document) -> tuple[str, str]:
    if isinstance(value, list | dict):
        return f"{_shown(value, path, document)} is no text", "write one value"
    written = document.written.get(path, "")
    kind = "true or false" if isinstance(value, bool) else "a number"
    return f"this is {kind}, not text", "put it in quotes" + (f": '{written}'" if isinstance(value, bool) else "")


def _shown(value: Any, path: KeyPath, document: Document) -> str:  # noqa: ANN401  (whatever the file says)
    """A value in a message. Addresses may have a password in them; so may long text."""
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a section"
    text = document.written.get(path, str(value))
    if not is_quotable(text):
        return "this"
    return text if not isinstance(value, str) else repr(text)
