"""Whether what is published is what docs/asyncapi.json promises to other programs."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).parents[1] / "docs" / "asyncapi.json"
JSON = "application/json"
PICTURE = b"\xff\xd8"


@functools.cache
def _rows() -> list[tuple[re.Pattern[str], str, Draft202012Validator]]:
    """Topics as patterns, the most exact first, each with its content type and what checks its payload."""
    whole = json.loads(DOCUMENT.read_text())
    rows = []
    for channel in whole["channels"].values():
        (name,) = channel["messages"]
        message = whole["components"]["messages"][name]
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(channel["address"]))
        checker = Draft202012Validator({**message["payload"], "components": whole["components"]})
        rows.append((channel["address"].count("{"), re.compile(pattern), message.get("contentType", JSON), checker))
    return [row[1:] for row in sorted(rows, key=lambda row: row[0])]


def broken_promise(topic: str, payload: bytes) -> str | None:
    """Return what is wrong with a payload below `deepthings/`; None for a good one, or one that clears its topic."""
    if not topic.startswith("deepthings/") or not payload:
        return None
    for pattern, kind, checker in _rows():
        if pattern.fullmatch(topic):
            if kind.startswith("image/"):
                return None if payload.startswith(PICTURE) else f"{topic}: no picture"
            try:
                value: Any = json.loads(payload) if kind == JSON else payload.decode()
            except ValueError:
                return f"{topic}: {payload[:60]!r} is no {kind}"
            found = next(iter(checker.iter_errors(value)), None)
            return None if found is None else f"{topic}: {found.message[:200]}"
    return f"{topic} is not in docs/asyncapi.json"
