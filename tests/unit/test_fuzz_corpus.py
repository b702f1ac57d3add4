"""What fuzzing has found, and what it found its way with, is tried again."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
CASES = [(name, path) for name in TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize(("name", "path"), CASES, ids=[f"{name}-{path.name[:12]}" for name, path in CASES])
def test_a_target_raises_nothing_unexpected(name, path):
    TARGETS[name](path.read_bytes())


def test_every_target_has_a_corpus():
    assert {name for name, _ in CASES} == set(TARGETS)
