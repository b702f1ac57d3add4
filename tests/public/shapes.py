"""JSON Schemas and values, reduced to what machines rely on: keys, types, bounds and words."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

SENTENCES = frozenset({"title", "description"})
NAMED_PARTS = frozenset({"properties", "patternProperties"})
"""Their keys are names of ours, also where one is called `title`."""

VALUES = frozenset({"default", "const", "examples"})
WITHOUT_ORDER = frozenset({"enum", "required"})

PLACES = ("#/$defs/", "#/components/schemas/")
"""Where schemas that others refer to are, by the name of their class."""

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def schema_of(kind: Any) -> Any:
    """Return what is accepted as `kind`; where something else is written, that too."""
    accepted, written = (plain(TypeAdapter(kind).json_schema(mode=mode)) for mode in ("validation", "serialization"))
    return accepted if _optional(written) == _optional(accepted) else {"accepted": accepted, "written": written}


def plain(schema: Any) -> Any:
    """Return a JSON Schema, or a document with schemas in it, without sentences and with its references resolved."""
    return _plain(schema, {**schema.get("$defs", {}), **schema.get("components", {}).get("schemas", {})})


def shape_of(value: Any) -> Any:
    """Return a JSON value with types in the place of what is no object and no list."""
    if isinstance(value, dict):
        return {key: shape_of(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        shapes: list[Any] = []
        for shape in map(shape_of, value):
            if shape not in shapes:
                shapes.append(shape)
        return shapes
    return TYPES[type(value)]


def _plain(part: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_plain(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    made: dict[str, Any] = {}
    for key, value in part.items():
        place = next((place for place in PLACES if key == "$ref" and value.startswith(place)), None)
        if place is not None:
            made = {**_plain(definitions[value.removeprefix(place)], definitions), **made}
        elif key in NAMED_PARTS:
            made[key] = {name: _plain(each, definitions) for name, each in value.items()}
        elif key in VALUES:
            made[key] = value
        elif key in WITHOUT_ORDER and isinstance(value, list):
            made[key] = sorted(value, key=str)
        elif not (key in SENTENCES and isinstance(value, str)) and key != "$defs":
            made[key] = _plain(value, definitions)
    return made


def _optional(part: Any) -> Any:
    """Return the schema without what differs by pydantic's own rules between reading and writing."""
    if isinstance(part, list):
        return [_optional(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {key: _optional(each) for key, each in part.items() if not (key == "required" and isinstance(each, list))}
