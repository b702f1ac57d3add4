"""The tests that docs/security.md names for its promises exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_every_promise_names_a_test_that_there_is():
    rows = re.findall(r"^\|.*\|(.*)\|$", TEXT, re.MULTILINE)
    named = [cell for cell in rows if re.search(r"`\S*test_\w+", cell)]
    assert len(named) > 10
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for cell in named:
        for name in re.findall(r"`([^`]+)`", cell):
            found = (ROOT / "tests" / name).is_file() if "/" in name else f"def {name}(" in tests
            assert found or (ROOT / name).is_file(), name
