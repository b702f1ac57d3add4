"""Checks names and labels in the configuration, which become parts of topics, and lists of them. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from gateway.configuration.quoting import is_quotable, quote_word
from shared.payloads.fields import NAME_PATTERN
from shared.settings.slugs import RESERVED_SLUGS, slug

MAX_LABEL_LENGTH = 64
"""A label becomes a part of topics; the longest in use have about twenty characters."""

PREFIX_PATTERN = r"^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$"

NameCollection = TypeVar("NameCollection", bound="tuple[str, ...] | dict[str, object]")


def check_node_name(text: str) -> str:
    """Return `text` if it is a valid name of an edge; else raise ValueError."""
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError(
            "invalid name; write lower-case letters, digits, - and _, at most 63 of them" + _example_like(text)
        )
    return text


def check_name(text: str) -> str:
    """Return `text` if it is a valid name of a camera or a zone; else raise ValueError."""
    if text in RESERVED_SLUGS:
        raise ValueError(f"reserved word, as topics use it; write another, for example {text}_1")
    return check_node_name(text)


def check_label(text: str) -> str:
    """Return `text` if it is a valid label, which can be a part of a topic; else raise ValueError."""
    if not re.search(r"[a-z0-9]", slug(text)):
        raise ValueError("invalid label; write it as the model has it, for example person")
    if len(text) > MAX_LABEL_LENGTH:
        raise ValueError(f"invalid label, as it has {len(text)} characters; write at most {MAX_LABEL_LENGTH}")
    if slug(text) in RESERVED_SLUGS:
        raise ValueError("reserved word, as topics use it; rename the label in the description of the model")
    return text


def check_topic_prefix(text: str) -> str:
    """Return `text` if it is a valid prefix of topics; else raise ValueError."""
    if not re.fullmatch(PREFIX_PATTERN, text):
        raise ValueError("invalid topic prefix; write letters, digits, - and _, with / between levels, without + and #")
    return text


def check_host(text: str) -> str:
    """Return `text` if it is a host name or an IP address, without scheme and port; else raise ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text):
        raise ValueError("invalid host; write only a name or an address, the port has its own key")
    if re.fullmatch(r"[0-9.]+", text):
        try:
            IPv4Address(text)
        except ValueError:
            raise ValueError("invalid address; write four numbers up to 255, for example 192.168.1.10") from None
    return text


def require_distinct(words: NameCollection) -> NameCollection:
    """Return `words` if no two of them have the same slug; else raise ValueError."""
    seen: dict[str, str] = {}
    for word in words:
        before = seen.get(slug(word))
        if before is not None:
            problem = (
                "a word is written twice"
                if before == word
                else f"{quote_word(before)} and {quote_word(word)} are the same word in topics"
            )
            raise ValueError(f"{problem}; keep one of them")
        seen[slug(word)] = word
    return words


def as_list(value: object) -> object:
    """Return a single word as a list, other values as they are."""
    return [value] if isinstance(value, str) else value


def _example_like(text: str) -> str:
    """Return the end of a message with a valid name that is similar to this text; "" if there is none."""
    likely = re.sub(r"_+", "_", slug(text)).strip("_-")[:63]
    fits = is_quotable(text) and re.fullmatch(NAME_PATTERN, likely) and likely not in RESERVED_SLUGS
    return f", for example {likely}" if fits else ""


_NAME = {"type": "string", "pattern": NAME_PATTERN}

NodeName = Annotated[str, AfterValidator(check_node_name), WithJsonSchema(_NAME)]
ConfiguredName = Annotated[
    str, AfterValidator(check_name), WithJsonSchema({**_NAME, "not": {"enum": sorted(RESERVED_SLUGS)}})
]
Label = Annotated[str, AfterValidator(check_label)]
TopicPrefix = Annotated[
    str, AfterValidator(check_topic_prefix), WithJsonSchema({"type": "string", "pattern": PREFIX_PATTERN})
]
ConfiguredHost = Annotated[str, AfterValidator(check_host)]

LabelList = Annotated[
    tuple[Label, ...],
    AfterValidator(require_distinct),
    BeforeValidator(as_list, json_schema_input_type=str | list[str]),
]
"""Labels; a single one needs no list."""

NameList = Annotated[
    tuple[str, ...], AfterValidator(require_distinct), BeforeValidator(as_list, json_schema_input_type=str | list[str])
]
"""Names of cameras or zones that are defined elsewhere; a single one needs no list."""
