from __future__ import annotations

from edge.cameras.admission import AgentIdentity
from edge.cameras.feed import AgentFeed
from shared.payloads.frames import FrameCounts, Outcome
from shared.wire.camera_headers import MAX_UNDER_WAY


class Listener:
    def __init__(self):
        self.heard = []

    def on_frame_end(self, number, outcome):
        self.heard.append((number, outcome))


def feed_with(*numbers):
    feed = AgentFeed(AgentIdentity("a", "peer"))
    for number in numbers:
        feed.begin_frame(number)
    return feed


def test_an_agent_hears_the_end_of_its_frames_now_or_when_it_comes_again():
    feed = feed_with(0, 1, 2)
    feed.listener = before = Listener()
    feed.end_frame(0, Outcome.PUBLISHED)
    feed.listener = None
    feed.end_frame(1, Outcome.PUBLISHED)
    assert before.heard == [(0, Outcome.PUBLISHED)]
    assert feed.missed_outcomes([0, 1, 2, 3]) == ({0: Outcome.PUBLISHED, 1: Outcome.PUBLISHED}, [3])
    feed.listener = after = Listener()
    feed.end_frame(2, Outcome.DEADLINE)
    assert after.heard == [(2, Outcome.DEADLINE)]


def test_the_account_of_a_lost_agent_is_closed_as_its_frames_end():
    feed = feed_with(0, 1, 3)
    feed.account.add_report(FrameCounts(captured=2))
    feed.end_frame(0, Outcome.PUBLISHED)
    lost = feed.closed_counts(Outcome.AGENT_LOST)
    assert (lost.captured, lost.published, lost.under_way) == (4, 1, 2)
    feed.end_frame(1, Outcome.PUBLISHED)
    feed.end_frame(3, Outcome.DEADLINE)
    assert feed.closed_counts(Outcome.AGENT_LOST) == FrameCounts(
        captured=4, published=2, dropped={Outcome.DEADLINE: 1, Outcome.AGENT_LOST: 1}
    )


def test_it_remembers_as_many_as_an_agent_can_ask_for():
    feed = feed_with()
    for number in range(10 * MAX_UNDER_WAY):
        feed.begin_frame(number)
        feed.end_frame(number, Outcome.PUBLISHED)
    newest = range(9 * MAX_UNDER_WAY, 10 * MAX_UNDER_WAY)
    assert feed.missed_outcomes(newest) == (dict.fromkeys(newest, Outcome.PUBLISHED), [])
    assert feed.missed_outcomes([0]) == ({}, [0])


def test_a_frame_ends_once():
    feed = feed_with(0)
    feed.listener = Listener()
    feed.end_frame(0, Outcome.FAILED)
    feed.end_frame(0, Outcome.PUBLISHED)
    assert feed.listener.heard == [(0, Outcome.FAILED)]
    assert feed.closed_counts(Outcome.AGENT_LOST) == FrameCounts(captured=1, dropped={Outcome.FAILED: 1})
