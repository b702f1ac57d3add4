"""Removes mistakes from a file's values, so that the rest can be validated, too. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.configuration.reading.layout import field_at, has_items, section_type
from gateway.configuration.root import Configuration

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from gateway.configuration.reading.mistakes import KeyPath

PLACEHOLDERS: dict[str, object] = {
    "source": "test://",
    "coordinates": "0,0,1,0,1,1",
    "url": "http://localhost/",
    "command": ["true"],
}
"""Values that are put in for missing required keys, so that the rest of the section can be checked."""


def repair(value: object, path: KeyPath, *, missing: bool = False, name: bool = False) -> object:
    """Return plain values in which the mistake at `path` is removed.

    `missing`: a required key is missing there, and gets a placeholder. `name`: the key itself is invalid, and not its
    value. Positions in lists and valid names of sections are kept, because other mistakes are reported by them.
    """
    if missing:
        return _replaced(value, path, PLACEHOLDERS.get(str(path[-1]), ""))
    while path and not name:
        field = field_at(Configuration, path)
        # An invalid section becomes an empty one: hooks may refer to its name, which must stay.
        if field is not None and section_type(field.annotation) and not _is_whole_field(field, path):
            return _replaced(value, path, {})
        if not isinstance(path[-1], int):
            break
        path = path[:-1]  # the whole list is removed: without one item, the positions of later ones would change
    return _without(value, path)


def _is_whole_field(field: FieldInfo, path: KeyPath) -> bool:
    """Return whether a path is that of a list or dictionary as a whole, and not of one of its items."""
    return has_items(field.annotation) and field_at(Configuration, path[:-1]) is not field


def _replaced(value: object, path: KeyPath, new: object) -> object:
    """Return a copy with another value at a path."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {**value, first: _replaced(value.get(first), rest, new)}
    if isinstance(value, list) and isinstance(first, int):
        return [_replaced(item, rest, new) if number == first else item for number, item in enumerate(value)]
    return {first: _replaced(None, rest, new)} if value is None else value


def _without(value: object, path: KeyPath) -> object:
    """Return a copy without the value at a path, or without the nearest one above it."""
    if not path:
        return {}
    first, rest = path[0], path[1:]
    if isinstance(value, dict) and first in value:
        if rest and isinstance(value[first], dict | list):
            return {**value, first: _without(value[first], rest)}
        return {key: item for key, item in value.items() if key != first}
    if isinstance(value, list) and isinstance(first, int):
        return [_without(item, rest) if number == first else item for number, item in enumerate(value)]
    return value
