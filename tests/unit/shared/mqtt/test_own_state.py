from __future__ import annotations

import asyncio

import pytest

import shared.mqtt.own_state
from shared.errors import BrokerError
from shared.mqtt.own_state import OwnState
from shared.payloads.cluster import Identity, NodeState, State

OWN = Identity(instance="own")


def state(how=State.ONLINE, identity=OWN, protocol=4):
    return NodeState(node="shed", state=how, protocol=protocol, identity=identity)


class Party:
    """Publishes to nobody; what it says comes back as a broker brings it."""

    def __init__(self, failures=0):
        self.published = asyncio.Queue()
        self.failures = failures
        self.own = OwnState(state, self._publish)

    async def _publish(self):
        self.published.put_nowait(None)
        if self.failures:
            self.failures -= 1
            raise BrokerError("not connected")
        self.own.on_received(state())


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(shared.mqtt.own_state, "STATE_SETTLE_S", 0.01)
    monkeypatch.setattr(shared.mqtt.own_state, "CORRECTION_PERIOD_S", 0.01)


STRANGER = Identity(instance="other")
STRANGE = [state(State.OFFLINE), state(identity=STRANGER), state(identity=Identity()), state(protocol=9)]


@pytest.mark.parametrize("heard", STRANGE)
async def test_a_state_of_ours_that_others_made_is_published_again(heard, caplog):
    party = Party()
    running = asyncio.create_task(party.own.run())
    party.own.on_received(heard)
    await asyncio.wait_for(party.published.get(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not party.own.differs()
    assert caplog.text.count("ours is published again") == 1


def test_what_was_retained_of_an_earlier_run_is_no_reason_once_our_own_has_come():
    party = Party()
    assert not party.own.differs()
    party.own.on_received(state(State.OFFLINE))
    assert party.own.differs()
    party.own.on_received(state())
    assert not party.own.differs()


async def test_an_objection_that_is_not_published_is_left_to_the_next_birth():
    party = Party(failures=1)
    running = asyncio.create_task(party.own.run())
    for _ in range(2):
        party.own.on_received(state(State.OFFLINE))
        await asyncio.wait_for(party.published.get(), 5)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
