from __future__ import annotations

from gateway.bridge.problems import PROBLEMS_CAP, Problems


def test_every_source_is_asked_in_order():
    problems = Problems()
    assert problems.at(1.0) == ()
    problems.add("b", lambda now: [f"b at {now}"])
    problems.add("a", lambda _: ["a"])
    problems.add("none", lambda _: [])
    assert problems.at(7.0) == ("b at 7.0", "a")


def test_no_source_fills_the_message():
    problems = Problems()
    problems.add("many", lambda _: [str(number) for number in range(PROBLEMS_CAP + 7)])
    problems.add("other", lambda _: ["other"])
    assert problems.at(1.0)[PROBLEMS_CAP:] == ("and 7 more of this kind", "other")
