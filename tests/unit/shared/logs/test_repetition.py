from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.logs.repetition import (
    FIRST_LINES,
    MAX_REPEATED_KINDS,
    MAX_SUBJECTS,
    MAX_SUMMARY_PERIOD_S,
    QUIET_AFTER_S,
    RepeatedLine,
    Repetition,
)

NIGHT_S = 8 * 3600


def entered(repetition, times, subject="shed"):
    return [told for now in times for told in repetition.add_line("part", "lost", subject, now, now)]


def test_the_first_lines_are_told_at_once_and_the_rest_is_summed_up():
    repetition = Repetition()
    assert entered(repetition, [0, 1, 2, 3, 4]) == [RepeatedLine(0), RepeatedLine(1), RepeatedLine(2)]
    assert repetition.next_due() == 62
    assert repetition.due(61.9) == []
    assert repetition.due(62) == [RepeatedLine(4, 2, 60)]
    assert repetition.due(1000) == []
    assert repetition.next_due() is None


def test_a_night_of_a_fault_is_a_handful_of_lines_and_none_is_lost():
    for every_s in (0.02, 1, 15, 60):
        times = [every_s * number for number in range(int(NIGHT_S / every_s))]
        repetition = Repetition()
        told = entered(repetition, times) + repetition.remaining(NIGHT_S)
        assert len(told) <= 14
        assert sum(each.count for each in told) == len(times)
        assert max(each.over_s for each in told) <= MAX_SUMMARY_PERIOD_S + every_s


def test_sums_become_rarer():
    repetition = Repetition()
    told = [each.over_s for each in entered(repetition, range(1000)) if each.count > 1]
    assert told == [60, 120, 240, 480]


def test_kinds_and_subjects_do_not_silence_each_other():
    repetition = Repetition()
    entered(repetition, [0] * 10)
    assert repetition.add_line("part", "lost", "attic", "line", 0) == [RepeatedLine("line")]
    assert repetition.add_line("part", "found", "shed", "line", 0) == [RepeatedLine("line")]


def test_what_comes_again_after_a_quiet_time_is_news():
    repetition = Repetition()
    entered(repetition, range(200))
    assert entered(repetition, [199 + QUIET_AFTER_S - 1]) == []
    again = 199 + 2 * QUIET_AFTER_S
    assert entered(repetition, [again, again, again, again])[1:] == [RepeatedLine(again)] * FIRST_LINES


def test_what_ended_is_summed_up_soon_also_when_the_next_sum_was_hours_away():
    repetition = Repetition()
    entered(repetition, range(NIGHT_S))
    last_at = NIGHT_S - 1
    assert repetition.next_due() == last_at + QUIET_AFTER_S
    (told,) = repetition.due(last_at + QUIET_AFTER_S)
    assert told.line == last_at


def test_a_fault_is_told_at_once_when_it_had_worked_meanwhile():
    repetition = Repetition()
    entered(repetition, range(10))
    assert repetition.add_line("part", "works again", "shed", "works", 30) == [
        RepeatedLine(9, 7, 28),
        RepeatedLine("works"),
    ]
    assert repetition.add_line("part", "lost", "shed", 40, 40) == [RepeatedLine(40, 1, 10)]
    assert repetition.add_line("part", "lost", "shed", 41, 41) == []


def test_what_goes_on_and_off_all_night_is_summed_up():
    repetition, told = Repetition(), []
    for now in range(0, NIGHT_S, 10):
        told += repetition.add_line("part", "lost", "shed", now, now)
        told += repetition.add_line("part", "works", "shed", now, now + 5)
    assert len(told) < 40


def test_subjects_without_end_share_their_lines():
    repetition = Repetition()
    told = [
        each for number in range(10_000) for each in repetition.add_line("part", "refused", f"name-{number}", number, 0)
    ]
    assert len(told) == MAX_SUBJECTS + FIRST_LINES
    assert sum(each.count for each in repetition.remaining(0)) == 10_000 - len(told)


def test_kinds_without_end_are_not_remembered_and_not_lost():
    repetition = Repetition()
    told = [
        each
        for number in range(2 * MAX_REPEATED_KINDS)
        for _ in range(5)
        for each in repetition.add_line("part", number, "", number, 0)
    ]
    assert len(repetition._kinds) == len(repetition._subjects) == MAX_REPEATED_KINDS
    assert len(repetition._latest) <= MAX_REPEATED_KINDS
    assert sum(each.count for each in told + repetition.remaining(0)) == 10 * MAX_REPEATED_KINDS


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(0, 500)), max_size=200))
def test_every_line_is_told_once_or_counted_once(lines):
    repetition, now, told = Repetition(), 0.0, []
    for what, subject, pause_s in lines:
        now += pause_s
        told += repetition.add_line("part", what, subject, (what, subject), now)
        assert len(repetition._latest) <= len(repetition._kinds)
    told += repetition.remaining(now)
    assert sum(each.count for each in told) == len(lines)
    assert repetition.next_due() is None
