"""Writes the reference of the configuration's keys: the tables of docs/configuration.md, and deepthings.schema.json."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.configuration.schema import configuration_schema
from scripts.configuration_tables import with_tables

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    page = DOCS / "configuration.md"
    page.write_text(with_tables(page.read_text("utf-8")), "utf-8")
    (DOCS / "deepthings.schema.json").write_text(json.dumps(configuration_schema(), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
