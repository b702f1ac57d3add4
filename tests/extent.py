"""How much is tested: what can be waited for, all that a change must pass (`--all`), or everything (`--long`)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Extent(StrEnum):
    """What a run of the tests is for."""

    DEFAULT = "default"
    ALL = "all"
    LONG = "long"


EXAMPLES = {Extent.DEFAULT: 20, Extent.ALL: 100, Extent.LONG: 1000}
"""Of a property that does not say how many it needs."""

LEFT_OUT = {Extent.DEFAULT: ("slow", "long"), Extent.ALL: ("long",), Extent.LONG: ()}
"""Marks of tests that do not run."""

for extent, number in EXAMPLES.items():
    settings.register_profile(extent, max_examples=number, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def examples(number: int) -> int:
    """Return how many examples a property tries that needs `number` with --all: fewer by default, more with --long."""
    return max(2, number * settings().max_examples // EXAMPLES[Extent.ALL])


def one_in(step: int, cases: Iterable[Any]) -> list[Any]:
    """Return parameters of a test for all cases; all but one of `step` run with --all only."""
    return [
        case if number % step == 0 else pytest.param(*_values(case), marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]


def _values(case: Any) -> Sequence[Any]:
    return case if isinstance(case, tuple) else (case,)
