"""Makes the tables of docs/configuration.md from the models. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from camera_sources.frame_rate import EVERY_FRAME, MAX_FPS, parse_frame_limit
from gateway.configuration.names import Label
from gateway.configuration.reading.layout import section_type, sections, unwrapped_type
from gateway.configuration.root import Configuration
from gateway.planning.methods import Method
from shared.settings.durations import parse_seconds
from shared.settings.polygons import parse_polygon, parse_polygons
from shared.settings.section import Section
from shared.settings.threads import AUTO_THREADS, MAX_THREADS, parse_threads

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A table in a page: its section's name, and the part to replace."""

WORDS = {bool: "true or false", int: "integer", float: "number", str: "text", SecretStr: "text, secret"}

LIMITS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}


def with_tables(page: str) -> str:
    """Return the page with current tables. Raises KeyError for an unknown section."""
    known = {section.__name__: section for section in sections(Configuration)}
    return TABLE.sub(lambda match: f"{match[1]}\n{table(known[match[2]])}\n{match[3]}", page)


def table(section: type[Section]) -> str:
    """Return the table of a section: key, value, default, meaning."""
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        cells = (f"`{name}`", _value(field), _default(field), field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


CHECKED = {
    parse_polygons: "polygon, or a list of them",
    parse_polygon: "polygon",
    parse_frame_limit: f"number, above 0 to {MAX_FPS:g}, or `{EVERY_FRAME}`",
    parse_threads: f"integer, from 1 to {MAX_THREADS}, or `{AUTO_THREADS}`",
}
"""The possible values in words, by the function that checks them."""


def _value(field: FieldInfo) -> str:
    """Return the possible values in words."""
    kind = unwrapped_type(field.annotation)
    checks = [getattr(check, "func", None) for check in field.metadata]
    if section_type(kind) is not None and get_origin(kind) is None:
        return "section"
    if parse_seconds in checks:
        return _with_limits("duration", field)
    for check, words in CHECKED.items():
        if check in checks:
            return words
    return _with_limits(_words(kind), field)


def _words(kind: Any) -> str:  # noqa: ANN401  (types are values here)
    kind = unwrapped_type(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if kind is Method:
        return ", ".join(f"`{method}`" for method in Method)
    if get_origin(kind) is dict:
        return "sections by label" if get_args(kind)[0] == Label else "sections by name"
    if get_origin(kind) is tuple:
        section, item = section_type(kind), get_args(kind)[0]
        several = get_args(kind)[-1] is Ellipsis
        return "list of sections" if section else f"list of {_words(item)}" if several else "four numbers"
    return WORDS.get(kind, "path")


def _with_limits(words: str, field: FieldInfo) -> str:
    limits = [
        text.format(f"{getattr(limit, name):.12g}")
        for name, text in LIMITS.items()
        for limit in field.metadata
        if getattr(limit, name, None) is not None
    ]
    return f"{words}, {' '.join(limits)}" if limits else words


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.is_required() else ""
    value = field.default
    if value is None or value == () or isinstance(value, Section):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value:.12g}`" if isinstance(value, float) else f"`{value}`"
