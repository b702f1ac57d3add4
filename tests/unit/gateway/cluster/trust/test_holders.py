import pytest

from gateway.cluster.trust.holders import GRANT_KEPT_S, MAX_KEPT_GRANTS, TileHolders


class Clock:
    now = 10.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def holders(clock):
    return TileHolders(clock)


def test_a_node_sends_results_for_its_own_frames_and_for_those_that_it_was_given(holders, clock):
    holders.grant("pi-2", "pi-1")
    assert holders.may_send("pi-1", "pi-1")
    assert not holders.may_send("pi-1", "pi-2"), "a grant is for one direction"
    assert not holders.may_send("pi-3", "pi-1")
    clock.now += GRANT_KEPT_S - 1
    assert holders.may_send("pi-2", "pi-1")
    clock.now += 1
    assert not holders.may_send("pi-2", "pi-1")


def test_results_that_nobody_asked_for_are_logged_once_a_minute(holders, caplog):
    for _ in range(5):
        holders.may_send("pi-2", "pi-1")
    assert caplog.text.count("edge pi-2 sent a result for a frame of edge pi-1 that it was not given") == 1


def test_the_oldest_of_too_many_grants_is_forgotten(holders):
    for number in range(MAX_KEPT_GRANTS + 1):
        holders.grant(f"pi-{number}", "owner")
    assert not holders.may_send("pi-0", "owner")
    assert holders.may_send("pi-1", "owner")
