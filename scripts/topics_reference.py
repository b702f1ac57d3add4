"""Writes the reference of the public topics into docs/: asyncapi.json, and schemas/ of their payloads."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.asyncapi import document, schemas
from scripts.public_topics import INFO, PARAMETERS, ROWS
from shared.mqtt.topic_kinds import DEFAULT_PREFIX

DOCS = Path(__file__).parents[1] / "docs"


def files() -> dict[Path, str]:
    """Return the text of each file, by its path below docs/."""
    contents = {Path("asyncapi.json"): document(ROWS, PARAMETERS, INFO, DEFAULT_PREFIX)}
    contents |= {Path("schemas", f"{name}.json"): schema for name, schema in schemas(ROWS).items()}
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in contents.items()}


def main() -> None:
    (DOCS / "schemas").mkdir(exist_ok=True)
    wanted = files()
    for stale in set((DOCS / "schemas").iterdir()) - {DOCS / path for path in wanted}:
        stale.unlink()
    for path, text in wanted.items():
        (DOCS / path).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
