from __future__ import annotations

from gateway.cluster.camera_accounts import MAX_CAMERA_ACCOUNTS, CameraAccounts
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameCounts, FrameInfo, Outcome


def stats(captured, published=0, *, camera="front", node="edge-1", **said):
    counts = FrameCounts(captured=captured, published=published, dropped=said.pop("dropped", {}))
    return CameraStats(camera=camera, node=node, counts=counts, **{"state": State.ONLINE, **said})


def frame(number, session="front-a"):
    return FrameInfo(frame=f"{session}-{number:06d}", camera="front", number=number, captured_at=0.0, height=4, width=4)


def publish(accounts, numbers, session="front-a"):
    return [accounts.on_outcome(frame(number, session), Outcome.PUBLISHED) for number in numbers]


def test_when_an_edge_is_lost_what_was_published_counts_and_the_rest_is_lost_with_it():
    accounts = CameraAccounts()
    accounts.on_stats(stats(0))
    publish(accounts, [0, 1])
    accounts.on_stats(stats(5, 1, dropped={Outcome.SUPERSEDED: 2}))
    publish(accounts, [6])
    (closed,) = accounts.close_accounts("edge-1")
    assert (closed.state, closed.reason) == (State.OFFLINE, "its edge edge-1 is gone")
    assert closed.counts == FrameCounts(captured=7, published=3, dropped={Outcome.SUPERSEDED: 2, Outcome.OWNER_LOST: 2})


def test_a_frame_that_is_published_after_that_is_published_too_though_our_own_words_come_back():
    accounts = CameraAccounts()
    accounts.on_stats(stats(3))
    (first,) = accounts.close_accounts("edge-1")
    second = accounts.on_outcome(frame(1), Outcome.PUBLISHED)
    accounts.on_stats(first)
    accounts.on_stats(second)
    third = accounts.on_outcome(frame(2), Outcome.PUBLISHED)
    assert [told.counts.published for told in (first, second, third)] == [0, 1, 2]
    assert third.counts.dropped == {Outcome.OWNER_LOST: 1}
    assert accounts.close_accounts("edge-1") == []


def test_an_edge_that_comes_back_accounts_for_its_cameras_itself():
    accounts = CameraAccounts()
    accounts.on_stats(stats(3))
    accounts.close_accounts("edge-1")
    accounts.on_stats(stats(4, 1))
    assert publish(accounts, [4]) == [None]
    (closed,) = accounts.close_accounts("edge-1")
    assert closed.counts.published == 2


def test_accounts_that_are_closed_and_cameras_of_other_edges_are_left_alone():
    accounts = CameraAccounts()
    accounts.on_stats(stats(3, 3, camera="clip", ended=True))
    accounts.on_stats(stats(3, 3, camera="dark", state=State.OFFLINE))
    accounts.on_stats(stats(3, 3, camera="yard", node="edge-2"))
    assert accounts.close_accounts("edge-1") == []


def test_another_agent_of_the_camera_begins_anew():
    accounts = CameraAccounts()
    accounts.on_stats(stats(50, 40))
    publish(accounts, range(50, 60))
    accounts.on_stats(stats(0))
    publish(accounts, [0], "front-b")
    (closed,) = accounts.close_accounts("edge-1")
    assert (closed.counts.captured, closed.counts.published) == (1, 1)


def test_a_gateway_that_was_started_again_goes_on_from_what_the_agent_reported():
    accounts = CameraAccounts()
    accounts.on_stats(stats(100, 90))
    publish(accounts, [100, 101])
    (closed,) = accounts.close_accounts("edge-1")
    assert closed.counts == FrameCounts(captured=102, published=92, dropped={Outcome.OWNER_LOST: 10})


def test_names_without_end_make_the_oldest_be_forgotten():
    accounts = CameraAccounts()
    for number in range(MAX_CAMERA_ACCOUNTS + 1):
        accounts.on_stats(stats(1, camera=f"camera-{number}"))
    assert len(accounts.close_accounts("edge-1")) == MAX_CAMERA_ACCOUNTS
