"""Finds the section and the field of the configuration's models that belong to a path in the file. Pure."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from shared.settings.section import Section

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from gateway.configuration.reading.mistakes import KeyPath


def unwrapped_type(annotation: Any) -> Any:  # noqa: ANN401  (types are values here)
    """Return a type without Annotated, and without None as an alternative."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in {Union, UnionType}:
            annotation = next(kind for kind in get_args(annotation) if kind is not NoneType)
        else:
            return annotation


def section_type(annotation: Any) -> type[Section] | None:  # noqa: ANN401
    """Return the section in a type: the type itself, that of a list's items or of a dictionary's values; else None."""
    annotation = unwrapped_type(annotation)
    if has_items(annotation):
        annotation = unwrapped_type(get_args(annotation)[1 if get_origin(annotation) is dict else 0])
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def field_at(top: type[Section], path: KeyPath) -> FieldInfo | None:
    """Return the field at a path; for the path of an item, the field of its list or dictionary."""
    return _walk(top, path)[1]


def keys_at(top: type[Section], path: KeyPath) -> list[str]:
    """Return the keys of the section at a path; [] when there is none."""
    section = _walk(top, path)[0]
    return [] if section is None else list(section.model_fields)


def has_items(annotation: Any) -> bool:  # noqa: ANN401
    """Return whether a type is a list or a dictionary."""
    return get_origin(unwrapped_type(annotation)) in {dict, tuple}


def sections(top: type[Section], where: str = "") -> dict[type[Section], list[str]]:
    """Return all sections below `top`, itself first, with their possible places: cameras.<name>.zones.<name>."""
    found: dict[type[Section], list[str]] = {top: [where]}
    for name, field in top.model_fields.items():
        section = section_type(field.annotation)
        if section is None:
            continue
        kind = get_origin(unwrapped_type(field.annotation))
        item = ".<name>" if kind is dict else "[]" if kind is tuple else ""
        for inner, places in sections(section, f"{where}.{name}{item}".removeprefix(".")).items():
            found.setdefault(inner, []).extend(places)
    return found


def _walk(top: type[Section], path: KeyPath) -> tuple[type[Section] | None, FieldInfo | None]:
    """Return the section at a path, and the field that contains it; None for each that does not exist."""
    section: type[Section] | None = top
    field: FieldInfo | None = None
    among_items = False
    for part in path:
        if field is not None and among_items:
            section, among_items = section_type(field.annotation), False
            continue
        field = section.model_fields.get(str(part)) if section is not None else None
        if field is None:
            return None, None
        among_items = has_items(field.annotation)
        section = None if among_items else section_type(field.annotation)
    return section, field
