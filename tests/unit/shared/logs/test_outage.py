from __future__ import annotations

import logging

from shared.logs.outage import MAX_OUTAGE_REASONS, Outage


def test_a_night_of_tries_is_a_warning_for_each_reason():
    outage = Outage()
    reasons = ["the connection was lost", *["no route", "it does not answer"] * 1000]
    assert [outage.level(reason) for reason in reasons].count(logging.WARNING) == 3


def test_after_it_has_worked_the_same_reason_is_news():
    outage = Outage()
    assert not outage.note_success()
    outage.level("no route")
    assert outage.level("no route") == logging.DEBUG
    assert outage.note_success()
    assert not outage.note_success()
    assert outage.level("no route") == logging.WARNING


def test_reasons_without_end_are_not_all_told():
    outage = Outage()
    assert [outage.level(str(number)) for number in range(1000)].count(logging.WARNING) == MAX_OUTAGE_REASONS
