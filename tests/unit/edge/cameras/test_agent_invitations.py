"""What agents are told: who is invited, and when."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import SimpleNamespace

import numpy as np
import pytest

from edge.cameras import agent_sessions as agent_sessions_module
from edge.cameras.agent_sessions import CameraSessions
from edge.tasks.intake import MAX_INVITATION_PAUSE_S, Intake
from shared.errors import PeerLostError
from shared.payloads.frames import FrameInfo, Outcome
from shared.wire.camera_headers import CameraHeader, ControlHeader, FrameHeader, OfferHeader, OutcomeHeader, ReadyHeader
from tests.settling import settled


class Agent:
    """A camera's agent: what it says, and what it is told."""

    peer = "10.0.0.5:1"
    member = None

    def __init__(self, camera, **hello):
        self.camera, self.hello = camera, CameraHeader(camera=camera, token=camera, **{"offers": True, **hello})
        self.told, self.closed, self.number = [], False, 0
        self.says: asyncio.Queue[object] = asyncio.Queue()

    async def expect(self, *_):
        said = await self.says.get()
        if isinstance(said, Exception):
            raise said
        return said

    def send_now(self, headers):
        self.told += headers
        return True

    def close(self):
        self.closed = True
        self.says.put_nowait(PeerLostError("it was closed"))

    def offer(self):
        self.says.put_nowait((OfferHeader(), np.empty(0, np.uint8)))

    def send_frame(self, captured_at=0.0, *, waited=False):
        self.number += 1
        info = FrameInfo(
            frame=f"{self.camera}-{self.number}", camera=self.camera, number=self.number, captured_at=captured_at,
            height=2, width=2,
        )  # fmt: skip
        self.says.put_nowait((FrameHeader(info=info, waited=waited), np.zeros(12, np.uint8)))

    def count(self, kind):
        """The messages of this kind since it was last asked for them."""
        found = [header for header in self.told if isinstance(header, kind)]
        self.told = [header for header in self.told if not isinstance(header, kind)]
        return len(found)


class Bench:
    """The cameras of an edge that wants so many frames; `owned` are the callbacks of its frames."""

    def __init__(self, max_frames):
        self.wanted, self.owned, self.refuses, self.running, self.promised = 1, {}, False, [], []
        self.accepting = asyncio.Event()
        self.accepting.set()
        self.intake = Intake()
        tasks = SimpleNamespace(
            frames_wanted=self.frames_wanted, next_frame_due_s=lambda: 1000.0, intake=self.intake, frames_elsewhere=0
        )  # fmt: skip
        self.tasks = tasks
        owner = SimpleNamespace(tasks=tasks, accept_frame=self.accept_frame)
        bus = SimpleNamespace(publish_soon=lambda *_: None)
        self.sessions = CameraSessions("pi-1", bus, owner, lambda at_once: max_frames - 1 + at_once, lambda: 1)

    def frames_wanted(self, invited, _lanes):
        return max(0, self.wanted - len(self.owned) - invited)

    async def accept_frame(self, info, _picture, finished, *, promised):
        await self.accepting.wait()
        self.promised += [info.frame] * promised
        if self.refuses:
            finished(Outcome.NO_PLAN)
        else:
            self.owned[info.frame] = finished

    def end(self, frame):
        self.owned.pop(frame)(Outcome.PUBLISHED)

    async def connect(self, camera, **hello):
        agent = Agent(camera, **hello)
        self.running.append(asyncio.create_task(self.sessions.serve(agent, agent.hello)))
        await settled()
        return agent


@pytest.fixture
async def bench():
    made = Bench(max_frames=1)
    made.sessions.open()
    yield made
    for running in made.running:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, PeerLostError):
            await running
    if made.sessions._later is not None:
        made.sessions._later.cancel()


def pause_s(bench):
    """The seconds until frames are invited without an event."""
    return bench.sessions._later.when() - asyncio.get_running_loop().time()


async def test_an_offer_is_answered_with_an_invitation_and_the_frame_with_its_outcome(bench):
    door, _ = await bench.connect("door"), await bench.connect("yard")
    bench.wanted = 0
    door.send_frame()  # it was invited while it was the only camera
    await settled()
    bench.end("door-1")
    bench.wanted = 1
    await settled()
    door.told.clear()
    door.offer()
    await settled()
    assert door.count(ReadyHeader) == 1
    door.send_frame()
    door.offer()
    await settled()
    assert (list(bench.owned), door.count(ReadyHeader)) == (["door-2"], 0)
    bench.end("door-2")
    await settled()
    assert (door.count(OutcomeHeader), door.count(ReadyHeader)) == (2, 1), "the first outcome waited for it"


async def test_the_next_look_is_when_a_frame_is_due_but_later_while_one_comes_or_waits(bench):
    tasks = bench.sessions._owner.tasks
    tasks.next_frame_due_s, bench.wanted = (lambda: 0.1), 0
    door, yard = await bench.connect("door"), await bench.connect("yard")
    door.offer()
    yard.offer()
    await settled()
    assert pause_s(bench) <= 0.1, "so that it is invited in time"
    bench.wanted = 1
    bench.sessions.invite_frames()
    await settled()
    door.told.clear()
    assert 0.2 < pause_s(bench) <= MAX_INVITATION_PAUSE_S, "the other camera has one, too, but the first one comes"
    tasks.next_frame_due_s = lambda: 0.0
    door.send_frame()
    await settled()
    assert len(bench.owned) == 1
    assert 0.2 < pause_s(bench) <= MAX_INVITATION_PAUSE_S, "one would be due, but another one waits"
    tasks.next_frame_due_s, bench.wanted = (lambda: 0.1), 0
    bench.sessions.invite_frames()  # the worker has taken it
    await settled()
    assert pause_s(bench) <= 0.1


async def test_an_offer_changes_nothing_while_another_camera_can_be_invited_anyway(bench):
    tasks, looks = bench.sessions._owner.tasks, []
    wanted = tasks.frames_wanted
    tasks.frames_wanted = lambda *given: looks.append(given) or wanted(*given)
    bench.wanted = 0
    door, yard = await bench.connect("door"), await bench.connect("yard")
    door.offer()
    await settled()
    assert looks
    looks.clear()
    yard.offer()
    await settled()
    assert looks == []
    for agent in (door, yard):
        agent.told.clear()
    bench.wanted = 2
    bench.sessions.invite_frames()  # something else has happened
    await settled()
    assert (door.count(ReadyHeader), yard.count(ReadyHeader)) == (1, 1), "it is remembered"


async def test_the_only_camera_is_invited_without_an_offer(bench):
    door = await bench.connect("door")
    assert (door.told[0].offers, door.count(ReadyHeader)) == (False, 1)
    for number in (1, 2, 3):
        door.send_frame()
        await settled()
        assert door.count(ReadyHeader) == 0
        bench.end(f"door-{number}")
        await settled()
        assert (door.count(OutcomeHeader), door.count(ReadyHeader)) == (1, 1)


async def test_agents_offer_pictures_while_there_are_several(bench):
    door = await bench.connect("door")
    bench.sessions.set_control("door", ControlHeader(detect=False))
    yard = await bench.connect("yard")
    controls = [header for header in door.told if isinstance(header, ControlHeader)]
    assert [(control.detect, control.offers) for control in controls] == [(True, False), (False, False), (False, True)]
    assert yard.told[0].offers
    yard.close()
    await settled()
    assert (door.told[-1].detect, door.told[-1].offers) == (False, False)


async def test_an_outcome_waits_a_moment_for_the_next_invitation(bench, monkeypatch):
    monkeypatch.setattr("edge.cameras.camera_session.OUTCOME_DELAY_S", 0.05)
    door = await bench.connect("door")
    door.send_frame()
    await settled()
    door.told.clear()
    bench.wanted = 0
    bench.end("door-1")
    await settled()
    assert door.told == []
    async with asyncio.timeout(10):
        while not door.count(OutcomeHeader):  # noqa: ASYNC110  (nothing tells when a timer has run)
            await asyncio.sleep(0.01)


async def test_nobody_is_invited_before_there_is_a_plan():
    bench = Bench(max_frames=1)
    door = await bench.connect("door")
    assert door.count(ReadyHeader) == 0
    bench.sessions.open()
    await settled()
    assert door.count(ReadyHeader) == 1
    bench.running[0].cancel()
    await asyncio.gather(*bench.running, return_exceptions=True)


async def test_cameras_are_invited_in_turn(bench):
    agents = {name: await bench.connect(name) for name in ("a", "b", "c")}
    assert agents["a"].count(ReadyHeader)  # the only one at first
    agents["a"].send_frame()
    for agent in agents.values():
        agent.offer()
    await settled()
    bench.end("a-1")
    await settled()
    served = []
    for _ in range(6):
        (name,) = [name for name, agent in agents.items() if agent.count(ReadyHeader)]
        served.append(name)
        agents[name].send_frame()
        agents[name].offer()
        await settled()
        bench.end(f"{name}-{agents[name].number}")
        await settled()
    assert served == ["a", "b", "c"] * 2


async def test_a_camera_whose_frames_end_at_once_is_invited_again(bench):
    """As while an edge has no plan: such a frame is not under way for ever."""
    bench.refuses = True
    door = await bench.connect("door")
    assert door.count(ReadyHeader) == 1
    for _ in range(3):
        door.send_frame()
        await settled()
        assert (door.count(OutcomeHeader), door.count(ReadyHeader)) == (1, 1)


async def test_a_camera_that_connects_again_while_its_frame_is_prepared_is_invited_again(bench):
    bench.accepting.clear()
    before = await bench.connect("door")
    before.send_frame()
    await settled()
    door = await bench.connect("door", under_way={1: "door-1"})
    bench.accepting.set()
    await settled()
    assert door.count(ReadyHeader) == 0
    bench.end("door-1")
    await settled()
    assert (door.count(OutcomeHeader), door.count(ReadyHeader)) == (1, 1)


async def test_the_way_of_an_invited_frame_is_measured_but_not_the_wait_for_its_capture(bench):
    bench.wanted = 0
    door = await bench.connect("door")
    door.send_frame()
    await settled()
    unmeasured = Intake().lead_s
    assert bench.intake.lead_s == unmeasured  # it was not invited
    bench.wanted = 1
    bench.end("door-1")
    await settled()
    bench.wanted = 0
    door.send_frame(captured_at=time.time() + 1000)  # long after its invitation
    await settled()
    assert bench.intake.lead_s == 0.0


async def test_a_frame_is_invited_for_another_node_although_none_is_wanted_here():
    bench = Bench(max_frames=2)
    bench.wanted = 0
    bench.sessions.open()
    door = await bench.connect("door")
    door.told.clear()
    pulling = asyncio.create_task(bench.sessions.pull_frame())
    await settled()
    assert door.count(ReadyHeader) == 1
    door.send_frame()
    await settled()
    assert pulling.done()
    assert (list(bench.owned), bench.promised) == (["door-1"], ["door-1"])
    bench.wanted = 2  # the frame that another node has is not one of ours
    bench.sessions.invite_frames()
    await settled()
    door.send_frame()
    await settled()
    assert bench.promised == ["door-1"]
    bench.running[0].cancel()


async def test_the_invited_frame_is_given_to_the_other_node_and_another_one_is_invited():
    bench = Bench(max_frames=2)
    bench.sessions.open()
    door = await bench.connect("door")
    assert door.count(ReadyHeader) == 1
    pulling = asyncio.create_task(bench.sessions.pull_frame())
    await settled()
    assert door.count(ReadyHeader) == 0
    bench.wanted = 2
    door.send_frame()
    await settled()
    assert (pulling.done(), bench.promised, door.count(ReadyHeader)) == (True, ["door-1"], 1)
    bench.running[0].cancel()


async def test_a_picture_that_does_not_come_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(agent_sessions_module, "MAX_INVITATION_S", 0.01)
    bench = Bench(max_frames=1)
    bench.sessions.open()
    assert await bench.sessions.pull_frame() < 0.01, "there is no camera"
    door = await bench.connect("door")
    assert await bench.sessions.pull_frame() >= 0.01
    door.send_frame()
    await settled()
    assert bench.promised == []
    assert await bench.sessions.pull_frame() < 0.01, "its limit is reached"
    bench.running[0].cancel()


async def test_the_owner_asks_whether_there_are_more_pictures_than_are_invited(bench):
    tasks = bench.sessions._owner.tasks
    assert tasks.cameras is bench.sessions
    door = await bench.connect("door")
    assert (tasks.cameras.saturated, tasks.cameras.may_have_more) == (False, False)
    door.send_frame(waited=True)
    await settled()
    assert (tasks.cameras.saturated, tasks.cameras.may_have_more) == (True, False)
    bench.wanted = 0
    bench.end("door-1")
    assert (tasks.cameras.saturated, tasks.cameras.may_have_more) == (True, True)
    await bench.sessions.close()
    assert not tasks.cameras.may_have_more


async def test_more_frames_may_be_under_way_from_now_on(bench):
    door = await bench.connect("door")
    bench.wanted = 5
    door.send_frame()
    await settled()
    door.told.clear()
    bench.sessions.use_lanes(2)
    await settled()
    assert door.count(ReadyHeader) == 1
    door.send_frame()
    await settled()
    assert door.count(ReadyHeader) == 0


async def test_one_camera_may_have_a_frame_on_every_node_that_computes_whole_frames(bench):
    door = await bench.connect("door")
    bench.wanted = 9
    bench.tasks.frames_elsewhere = 2
    bench.sessions.invite_frames()
    sent = 0
    for _ in range(5):
        await settled()
        if door.count(ReadyHeader):
            door.send_frame()
            sent += 1
    assert sent == 3, "one here, and one on each of two other nodes"
    bench.tasks.frames_elsewhere = 3
    assert bench.sessions.may_have_more is False, "no picture waits"
    bench.sessions.invite_frames()
    await settled()
    assert door.count(ReadyHeader) == 1
