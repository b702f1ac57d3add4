from __future__ import annotations

import pytest

from benchmarks.scale.scale_rows import (
    SCALE_ROWS,
    ScaleResult,
    latency_result,
    parse_rows,
    predictions_result,
    rate_text,
    throughput_result,
    time_text,
)
from shared.errors import ConfigurationError


def test_rows_are_chosen_in_the_order_of_the_table():
    assert parse_rows("memory, built-in") == ("built-in", "memory")
    assert parse_rows("all") == tuple(SCALE_ROWS)


@pytest.mark.parametrize("text", ["", "everything", "memory,", "all,memory"])
def test_unknown_rows_are_refused_with_those_that_there_are(text):
    with pytest.raises(ConfigurationError, match="write all, or some of built-in, built-in-gateway, "):
        parse_rows(text)


@pytest.mark.parametrize(("measured", "reached"), [(9.0, True), (8.99, False)])
def test_throughput_is_compared_with_the_whole_job_not_with_session_run(measured, reached):
    result = throughput_result("built-in", measured, 10.0, 12.0, 0.9, "quiet", 0.3)
    assert result.ratio == measured / 10
    assert result.reached is reached
    assert result.remark == "75 % of session.run; quiet; others used 0.3 cores"


@pytest.mark.parametrize(
    ("measured", "slack", "reached"), [(0.110, 0, True), (0.115, 0, False), (0.115, 0.02, True), (0.3, 0.02, False)]
)
def test_latency_may_be_a_part_or_a_little_more(measured, slack, reached):
    result = latency_result("one-camera", measured, 0.1, 0.08, 1.1001, "", slack)
    assert result.ratio == pytest.approx(measured / 0.1)
    assert result.reached is reached


def test_a_latency_without_frames_reaches_nothing():
    result = latency_result("thin-link", 0.0, 0.1, 0.08, 1.1, "")
    assert (result.measured, result.ratio, result.reached) == ("no frame was published", None, False)


def test_a_result_is_read_as_it_was_written():
    result = throughput_result("built-in", 9.0, 10.0, 12.0, 0.9, "quiet")
    assert ScaleResult.from_json(result.to_json()) == result
    assert (result.title, result.goal) == (SCALE_ROWS["built-in"].title, ">= 90 %")
    with pytest.raises(KeyError):
        ScaleResult.from_json(result.to_json() | {"row": "gone"})


def test_figures_have_the_digits_that_say_something():
    assert [rate_text(1.234), rate_text(49.53)] == ["1.23 frames/s", "49.5 frames/s"]
    assert [time_text(0.0912), time_text(3.243)] == ["91 ms", "3.24 s"]


def plans(row, **rates):
    figures = {name: {"predicted": predicted, "measured": measured} for name, (predicted, measured) in rates.items()}
    return ScaleResult(row, "", figures={"plans": figures})


@pytest.mark.parametrize(("last", "reached"), [(2.4, True), (2.5, False), (1.5, False)])
def test_nine_of_ten_plans_are_to_be_predicted_within_a_fifth(last, reached):
    good = {f"p{number}": (2.0, 2.0) for number in range(8)}
    rows = [plans("head", **good, bad=(9.0, 2.0)), plans("end-to-end", last=(last, 2.0)), ScaleResult("built-in", "")]
    result = predictions_result(rows)
    assert result.reached is reached
    assert result.measured == f"{9 if reached else 8} of 10"
    assert "head, bad: +350 %" in result.remark
    assert result.figures["errors"]["end-to-end, last"] == pytest.approx(last / 2 - 1)


def test_without_plans_nothing_is_said_of_predictions():
    assert predictions_result([ScaleResult("built-in", ""), plans("head", failed=(2.0, 0.0))]) is None
