from __future__ import annotations

from gateway.bridge.problems import MAX_PROBLEMS_PER_SOURCE, Problems


def test_every_source_is_asked_in_order():
    problems = Problems()
    assert problems.current(1.0) == ()
    problems.add_source("b", lambda now: [f"b at {now}"])
    problems.add_source("a", lambda _: ["a"])
    problems.add_source("none", lambda _: [])
    assert problems.current(7.0) == ("b at 7.0", "a")


def test_no_source_fills_the_message():
    problems = Problems()
    problems.add_source("many", lambda _: [str(number) for number in range(MAX_PROBLEMS_PER_SOURCE + 7)])
    problems.add_source("other", lambda _: ["other"])
    assert problems.current(1.0)[MAX_PROBLEMS_PER_SOURCE:] == ("and 7 more of this kind", "other")
