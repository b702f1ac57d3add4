from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from shared.settings.durations import UNITS_S, Seconds, parse_seconds
from shared.settings.section import Section


class Settings(Section):
    wait: Seconds = Field(default=1.0, gt=0, le=60)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("30s", 30), ("5m", 300), ("1h", 3600), ("1.5h", 5400), ("500ms", 0.5), ("1d", 86400), ("30", 30), (" 2 m ", 120),
     (30, 30), (0.5, 0.5)],
)  # fmt: skip
def test_durations_are_seconds_whatever_their_unit(written, seconds):
    assert TypeAdapter(Seconds).validate_python(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "s", "5 minutes", "1:30", "-5s", "1h30m", "5M", "1e3", "inf", "٣s", True, False]
)
def test_what_is_no_duration_is_refused_with_an_example(written):
    with pytest.raises(ValueError, match="write seconds, for example 30, or 30s, 5m, 1h"):
        parse_seconds(written)


@given(st.decimals(0, 10_000, places=3), st.sampled_from(sorted(UNITS_S)))
def test_a_number_with_a_unit_is_so_many_of_them(number, unit):
    assert parse_seconds(f"{number:f}{unit}") == pytest.approx(float(number) * UNITS_S[unit])


@pytest.mark.parametrize("written", ["0s", "61s", "2m", 0, 61])
def test_limits_hold_for_texts_as_for_numbers(written):
    with pytest.raises(ValidationError, match="wait"):
        Settings(wait=written)


def test_a_duration_survives_json():
    assert Settings.model_validate_json(Settings(wait="30s").model_dump_json()).wait == 30
