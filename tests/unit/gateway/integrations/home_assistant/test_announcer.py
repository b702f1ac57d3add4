"""When Home Assistant is told what, and in which order."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

import gateway.integrations.home_assistant.announcer as module
from gateway.integrations.home_assistant.announcer import ANNOUNCED_FILE, Announcer
from gateway.integrations.home_assistant.discovery import discovery
from gateway.state.state_folder import StateFolder
from shared.errors import BrokerError
from tests.settling import settled
from tests.unit.gateway.integrations.home_assistant.homes import home_of, nodes_of

STATES = ("states", "", False)


def read_announced(folder):
    return json.loads((folder / ANNOUNCED_FILE).read_text())["content"]


def write_announced(folder, messages):
    (folder / ANNOUNCED_FILE).write_text(json.dumps(messages))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "COALESCE_S", 0.01)
    monkeypatch.setattr(module, "SUBSCRIBE_S", 0.01)
    monkeypatch.setattr(module, "RETRY_ANNOUNCEMENT_S", 0.02)


class Stage:
    """An announcer, what it has to tell, and what a broker heard."""

    def __init__(self, folder, wanted=None, **options):
        self.wanted = wanted or {}
        self.heard = []
        self.refused = 0
        self.looked = 0
        self.now = 0.0
        self._said = asyncio.Event()
        state = StateFolder(folder)
        self.announcer = Announcer(self._look, self._states, self._publish, state, clock=lambda: self.now, **options)

    async def _publish(self, topic, payload, *, retain):
        if self.refused:
            self.refused -= 1
            raise BrokerError("there is no broker")
        self._hear((topic, payload, retain))

    async def _states(self):
        self._hear(STATES)

    def _hear(self, message):
        self.heard.append(message)
        self._said.set()

    async def until_looked(self, times):
        """Until it was asked so often what there is to tell."""
        async with asyncio.timeout(10):
            while self.looked < times:
                self._said.clear()
                await self._said.wait()

    def _look(self):
        self.looked += 1
        self._said.set()
        return self.wanted

    async def until_states(self, times=1):
        async with asyncio.timeout(10):
            while self.heard.count(STATES) < times:
                self._said.clear()
                await self._said.wait()

    def take(self):
        heard, self.heard = self.heard, []
        return [(topic, payload) for topic, payload, retain in heard if retain or (topic, payload, retain) == STATES]


@contextlib.asynccontextmanager
async def running(stage):
    task = asyncio.create_task(stage.announcer.run())
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def device(*keys, model="Camera"):
    return json.dumps({"dev": {"model": model}, "cmps": {key: {"p": "sensor", "name": key} for key in keys}})


async def test_at_the_start_devices_come_in_order_and_then_the_states(tmp_path):
    wanted = discovery(home_of(), nodes_of("pi-1"), "1.0")
    async with running(Stage(tmp_path, wanted)) as stage:
        stage.announcer.on_connected()
        await stage.until_states()
    assert stage.take() == [*wanted.items(), STATES[:2]]
    assert read_announced(tmp_path) == wanted


async def test_nothing_is_said_before_there_is_a_broker(tmp_path):
    async with running(Stage(tmp_path, {"a": device("x")})) as stage:
        await settled()
        assert stage.heard == []


async def test_a_birth_and_a_new_connection_have_all_told_again(tmp_path):
    wanted = {"a": device("x"), "b": device("y")}
    async with running(Stage(tmp_path, wanted)) as stage:
        stage.announcer.on_connected()
        await stage.until_states()
        first = stage.take()
        stage.announcer.on_status("online")
        await stage.until_states()
        assert stage.take() == first
        stage.announcer.on_status("offline")
        stage.announcer.on_connected()
        await stage.until_states()
        assert stage.take() == first


async def test_of_a_change_only_what_is_new_is_told(tmp_path):
    async with running(Stage(tmp_path, {"a": device("x"), "b": device("y", "z"), "c": device("w")})) as stage:
        stage.announcer.on_connected()
        await stage.until_states()
        stage.take()
        stage.wanted = {"a": device("x"), "b": device("z"), "d": device("v")}
        stage.announcer.request_update()
        await stage.until_states()
        said = stage.take()
    assert [topic for topic, _ in said] == ["c", "b", "b", "d", "states"]
    assert said[0] == ("c", "")
    assert json.loads(said[1][1])["cmps"]["y"] == {"p": "sensor"}
    assert said[2:4] == [("b", device("z")), ("d", device("v"))]
    assert read_announced(tmp_path) == stage.wanted


async def test_what_comes_together_is_told_once(tmp_path):
    async with running(Stage(tmp_path, {"a": device("x")})) as stage:
        for _ in range(100):
            stage.announcer.on_connected()
            stage.announcer.request_update()
        await stage.until_states()
        stage.wanted = {"a": device("y")}
        stage.announcer.request_update()
        await stage.until_states(2)
    assert len([topic for topic, _, _ in stage.heard if topic == "a"]) == 3  # once, and then a parting and a change


async def test_a_change_that_changes_nothing_is_not_told(tmp_path):
    async with running(Stage(tmp_path, {"a": device("x")})) as stage:
        stage.announcer.on_connected()
        await stage.until_states()
        stage.take()
        stage.announcer.request_update()
        stage.announcer.request_update()
        await stage.until_looked(2)
        stage.wanted = {"b": device("x")}
        stage.announcer.request_update()
        await stage.until_states()
    assert stage.take() == [("a", ""), ("b", device("x")), STATES[:2]]


async def test_what_was_told_by_the_last_run_is_taken_back(tmp_path):
    write_announced(tmp_path, {"a": device("x", "y"), "gone": device("z")})
    async with running(Stage(tmp_path, {"a": device("x")})) as stage:
        stage.announcer.on_connected()
        await stage.until_states()
    said = stage.take()
    assert [topic for topic, _ in said] == ["gone", "a", "a", "states"]
    assert said[0] == ("gone", "")


async def test_a_broker_that_goes_in_between_hears_everything_when_it_is_back(tmp_path):
    write_announced(tmp_path, {"gone": device("z"), "a": device("x", "y")})
    stage = Stage(tmp_path, {"a": device("x"), "b": device("w")})
    stage.refused = 2
    async with running(stage):
        stage.announcer.on_connected()
        await stage.until_states()
    said = stage.take()
    assert [topic for topic, _ in said] == ["gone", "a", "a", "b", "states"]
    assert json.loads(said[1][1])["cmps"]["y"] == {"p": "sensor"}
    assert read_announced(tmp_path) == stage.wanted


async def test_a_gateway_that_ends_in_between_leaves_enough_to_go_on(tmp_path):
    write_announced(tmp_path, {"gone": device("z")})
    stage = Stage(tmp_path, {"a": device("x")})
    stage.refused = 10**6
    async with running(stage):
        stage.announcer.on_connected()
        await stage.until_looked(2)
    assert read_announced(tmp_path).keys() == {"gone", "a"}


async def test_nodes_of_the_last_run_have_time_to_come_back(tmp_path):
    node = device("load", model="Edge")
    write_announced(tmp_path, {"node-1": node, "node-2": node, "camera": device("x")})
    stage = Stage(tmp_path, {"gateway": device("v", model="Gateway")}, return_s=30.0)
    async with running(stage):
        stage.announcer.on_connected()
        await stage.until_states()
        assert stage.take() == [("camera", ""), *stage.wanted.items(), ("node-1", node), ("node-2", node), STATES[:2]]
        stage.wanted = {**stage.wanted, "node-1": node}
        stage.announcer.request_update()
        await stage.until_looked(2)
        assert stage.take() == []
        stage.now = 31.0
        stage.announcer.request_update()
        await stage.until_states()
        assert stage.take() == [("node-2", ""), STATES[:2]]


async def test_nodes_that_do_not_come_back_go_without_being_asked_for(tmp_path):
    write_announced(tmp_path, {"node-1": device("load", model="Edge")})
    stage = Stage(tmp_path, {"gateway": device("v")}, return_s=0.05)
    stage.announcer._clock = asyncio.get_running_loop().time
    stage.announcer._return_at = stage.announcer._clock() + 0.05
    async with running(stage):
        stage.announcer.on_connected()
        await stage.until_states(2)
    assert stage.take()[-2:] == [("node-1", ""), STATES[:2]]


async def test_who_wants_no_home_assistant_takes_all_back(tmp_path):
    write_announced(tmp_path, {"node-1": device("load", model="Edge"), "camera": device("x")})
    async with running(Stage(tmp_path, {})) as stage:
        stage.announcer.on_connected()
        await stage.until_states()
    assert stage.take() == [("camera", ""), ("node-1", ""), STATES[:2]]


# a Home Assistant that was not running when something was removed


def cmps(payload):
    return {key: set(one) for key, one in json.loads(payload)["cmps"].items()} if payload else {}


async def test_what_was_removed_is_told_and_removed_again_at_the_next_birth_message(tmp_path):
    stage = Stage(tmp_path, {"camera": device("x", "y"), "gone": device("z")})
    async with running(stage):
        stage.announcer.on_connected()
        await stage.until_states()
        stage.wanted = {"camera": device("x")}
        stage.announcer.request_update()
        await stage.until_states(2)
        stage.take()
        stage.announcer.on_status("online")
        await stage.until_states(1)
        told = [(topic, payload, retain) for topic, payload, retain in stage.heard if (topic, payload) != STATES[:2]]
        assert ("gone", device("z"), False) in told
        assert told.index(("gone", "", True)) > told.index(("gone", device("z"), False))
        of_camera = [(payload, retain) for topic, payload, retain in told if topic == "camera"]
        assert [set(cmps(payload)) for payload, _ in of_camera] == [{"x"}, {"x", "y"}, {"x", "y"}, {"x"}]
        assert [retain for _, retain in of_camera] == [True, False, True, True]
        assert cmps(of_camera[2][0])["y"] == {"p"}, "its platform alone removes a component"
        stage.take()
        stage.announcer.on_status("online")
        await stage.until_states(1)
        assert stage.take()[:-1] == [("camera", device("x"))], "once is enough"


async def test_what_was_removed_is_kept_over_a_restart_until_a_birth_message(tmp_path):
    write_announced(tmp_path, {"camera": device("x"), "gone": device("z")})
    for _ in range(2):
        stage = Stage(tmp_path, {"camera": device("x")})
        async with running(stage):
            stage.announcer.on_connected()
            await stage.until_states()
        assert ("gone", "") in stage.take()
    stage = Stage(tmp_path, {"camera": device("x")})
    async with running(stage):
        stage.announcer.on_status("online")
        await stage.until_states()
        assert ("gone", "") in stage.take()
        stage.announcer.on_status("online")
        await stage.until_states()
        assert ("gone", "") not in stage.take()


async def test_what_has_come_back_is_not_removed_again(tmp_path):
    stage = Stage(tmp_path, {"camera": device("x"), "gone": device("z")})
    async with running(stage):
        stage.announcer.on_connected()
        await stage.until_states()
        for number, wanted in enumerate([{"camera": device("x")}, {"camera": device("x"), "gone": device("z")}]):
            stage.wanted = wanted
            stage.announcer.request_update()
            await stage.until_states(2 + number)
        stage.take()
        stage.announcer.on_status("online")
        await stage.until_states()
        assert ("gone", "") not in stage.take()
