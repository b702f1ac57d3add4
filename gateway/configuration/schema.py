"""The JSON Schema of the configuration file, for editors. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.configuration.reading.layout import sections
from gateway.configuration.root import Configuration

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration, in which every key has its description."""
    schema = Configuration.model_json_schema(mode="validation")
    for section in sections(Configuration):
        part = schema if section is Configuration else schema["$defs"][section.__name__]
        for name, field in section.model_fields.items():
            _limit(part["properties"][name], field)
    _tidy(schema)
    return {"$schema": DIALECT, "title": "DeepThings: deepthings.yaml", **schema}


def _limit(key: dict[str, Any], field: FieldInfo) -> None:
    """Add the limits of a duration to its form as a number; pydantic leaves them out."""
    for kind in key.get("anyOf", ()):
        if kind.get("type") == "number":
            for limit in field.metadata:
                kind.update({word: getattr(limit, name) for name, word in _LIMITS.items() if hasattr(limit, name)})


def _tidy(part: object) -> None:
    """Remove titles, which only repeat the keys; where names must match a pattern, allow no others."""
    if isinstance(part, list):
        for item in part:
            _tidy(item)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("title"), str):
        del part["title"]
    if "patternProperties" in part:
        part["additionalProperties"] = False
    for item in part.values():
        _tidy(item)
