"""Explains pydantic's errors in plain words: what is wrong, and what to write. Pure."""

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
    "int": ("not an integer", "write digits alone, for example 30"),
    "float": ("not a number", "write for example 30 or 0.5"),
    "finite": ("not a finite number", "write for example 30 or 0.5"),
    "path": ("not a path", "write the path of a file"),
    "tuple": ("not a list", "write [a, b], or each item on its own line after a -"),
    "dict": ("not a section", "write its names below it, indented, each with a colon"),
    "model": ("not a section", "write its keys below it, indented, each with a colon"),
}

_WITHOUT_SPACE = re.compile(r"([a-z_]+):\S")
"""A key and its value without a space between them, which YAML reads as one text."""


def mistake_of(error: ErrorDetails, document: Document, top: type[Section]) -> Mistake:
    """Return one error as a mistake, without a value that may be secret."""
    path = error_path(error)
    if error["type"] == "extra_forbidden":
        hint = hint_for(path)
        if hint:
            return Mistake(path, "a key of Frigate, which is unknown here", hint)
        return Mistake(path, "unknown key", did_you_mean(str(path[-1]), keys_at(top, path[:-1])))
    if error["type"] == "missing":
        return Mistake(path, "is missing", f"write {path[-1]}: and its value")
    mistake = Mistake(document.nearest_path(path), *_explain(error, path, document))
    return mistake.without_value() if document.is_secret(path) else mistake


def error_path(error: ErrorDetails) -> KeyPath:
    """Return the path of an error; an error of a key has the path of its value."""
    return tuple(part for part in error["loc"] if part != "[key]")


def _explain(error: ErrorDetails, path: KeyPath, document: Document) -> tuple[str, str]:
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
        return f"{shown} is unknown", did_you_mean(str(value), known)
    if kind in {"too_short", "string_too_short"}:
        return "empty", "write at least one"
    if kind == "string_type":
        return _not_text(value, path, document)
    without_space = _WITHOUT_SPACE.match(value) if kind == "model_type" and isinstance(value, str) else None
    what, right = _TYPES.get(kind.split("_", maxsplit=1)[0], ("invalid", error["msg"]))
    if without_space:
        shown, what, right = "this", "one text", f"write a space after {without_space[1]}:"
    return f"{shown} is {what}", right


def _not_text(value: object, path: KeyPath, document: Document) -> tuple[str, str]:
    if isinstance(value, list | dict):
        return f"{_shown(value, path, document)} is not text", "write one value"
    written = document.written.get(path, "")
    kind = "true or false" if isinstance(value, bool) else "a number"
    return f"this is {kind}, not text", "put it in quotes" + (f": '{written}'" if isinstance(value, bool) else "")


def _shown(value: Any, path: KeyPath, document: Document) -> str:  # noqa: ANN401  (any value of the file)
    """Return a value for a message; addresses and long text may contain a password."""
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a section"
    text = document.written.get(path, str(value))
    if not is_quotable(text):
        return "this"
    return text if not isinstance(value, str) else repr(text)
