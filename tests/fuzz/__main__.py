"""Fuzz a target with atheris (pip install 'deepthings[fuzz]'), and keep what leads to new code in its corpus.

Usage: python -m tests.fuzz TARGET [options of libFuzzer, as -runs=1000000]
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["shared", "gateway", "json"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Fuzz until libFuzzer ends."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"name a target: {', '.join(TARGETS)}")
    logging.disable()
    name = sys.argv.pop(1)
    atheris.Setup([*sys.argv, "-max_len=4096", str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
