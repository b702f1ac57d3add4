from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.frame_account import FrameAccount
from shared.payloads.frames import FrameCounts, Outcome

AGENTS = (Outcome.SUPERSEDED, Outcome.NO_EDGE, Outcome.NO_PLAN)
"""Decided elsewhere."""
OURS = (Outcome.PUBLISHED, Outcome.DEADLINE, Outcome.OVERLOAD)

fates = st.one_of(st.sampled_from(AGENTS), st.sampled_from(OURS), st.none())
steps = st.lists(st.tuples(fates, st.booleans(), st.integers(0, 3)), max_size=60)


def sums(counts):
    assert counts.under_way >= 0
    return counts.captured == counts.published + sum(counts.dropped.values()) + counts.under_way


@given(steps, st.integers(0, 60))
def test_the_sum_holds_and_what_is_published_is_true_whenever_the_agent_dies(story, begins):
    """Frames end in this order, for one of their reasons or never; the agent hears of ours late, and reports now and
    then. The account begins with a report, somewhere in the story, as after a restart of whoever keeps it."""
    account, counts, unheard, told = FrameAccount(), FrameCounts(), [], Counter()
    decided = Counter()
    for number, (fate, reports, hears) in enumerate(story):
        if number == begins:
            for outcome in unheard:
                counts.count(outcome)
            unheard.clear()
            account.add_report(counts.model_copy(deep=True))
        counts.captured = number + 1
        if fate in AGENTS:
            counts.count(fate)
        elif fate is not None:
            unheard.append(fate)
            decided[fate] += 1
            if begins <= number:
                account.record_outcome(number, fate)
        for _ in range(min(hears, len(unheard))):
            counts.count(unheard.pop(0))
        if reports and begins <= number:
            account.add_report(counts.model_copy(deep=True))
            told = Counter(counts.dropped)
        closed = account.final_counts(Outcome.AGENT_LOST)
        assert closed.under_way == 0
        assert sums(closed)
        if begins <= number:
            assert closed.published == decided[Outcome.PUBLISHED]
            assert all(closed.dropped.get(reason, 0) >= told[reason] for reason in AGENTS)


def test_frames_under_way_stay_so_until_they_end():
    account = FrameAccount()
    account.add_report(FrameCounts(captured=4, published=1, dropped={Outcome.SUPERSEDED: 1}))
    account.note_captured(5)
    assert account.final_counts(Outcome.AGENT_LOST, under_way=2) == FrameCounts(
        captured=6, published=1, dropped={Outcome.SUPERSEDED: 1, Outcome.AGENT_LOST: 2}
    )
    account.record_outcome(5, Outcome.PUBLISHED)
    assert account.final_counts(Outcome.AGENT_LOST, under_way=1).published == 2


def test_what_an_agent_gave_up_when_it_stopped_and_is_published_after_that_counts_as_published():
    account = FrameAccount()
    account.record_outcome(0, Outcome.PUBLISHED)
    account.add_report(FrameCounts(captured=3, published=1, dropped={Outcome.STOPPED: 2}))
    assert account.final_counts(Outcome.STOPPED, under_way=2).dropped == {}
    account.record_outcome(1, Outcome.PUBLISHED)
    account.record_outcome(2, Outcome.DEADLINE)
    assert account.final_counts(Outcome.STOPPED) == FrameCounts(captured=3, published=2, dropped={Outcome.DEADLINE: 1})
