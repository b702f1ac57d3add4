"""Agents of cameras as processes: looked after, told what to do, ended when they hang, silent about passwords."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from camera_sources.agent.agent import HUNG_EXIT_CODE
from shared.errors import ConfigurationError, PeerLostError, ProtocolError
from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from shared.wire.camera_headers import CameraHeader, ControlHeader, OutcomeHeader, ReadyHeader
from shared.wire.connection import Connection
from shared.wire.wire_traffic import WireTraffic
from tests.cameras import LOGIN, UNSEEN, agents, assigned, edge_side, until_gone, web_camera
from tests.commands import DEEPTHINGS, run
from tests.extent import one_in

PATTERN = "test://64x48?fps=20"
STALE_S = 1.0


@pytest.fixture(autouse=True)
def secrets(capfd):
    yield
    assert UNSEEN not in "".join(capfd.readouterr())


async def test_cameras_come_change_and_go_as_they_are_assigned():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN), "yard": assigned(PATTERN)})
        await edge.until_more(1, "front")
        await edge.until_more(1, "yard")
        front, yard = agents()["front"][0], agents()["yard"][0]
        edge.supervisor.assign_cameras(
            {"front": assigned(PATTERN), "yard": assigned(PATTERN, rotate=90), "gate": assigned(PATTERN)}
        )
        await edge.until_more(1, "gate")
        await edge.until("a turned picture", lambda: edge.newest("yard").height == 64)
        assert agents()["front"][0] == front
        assert agents()["yard"][0] != yard
        edge.supervisor.assign_cameras({"gate": assigned(PATTERN)})
        await edge.until("the end of two", lambda: edge.sessions.cameras == ("gate",))
        assert edge.stats["front"].ended
        await until_gone("front")
        await until_gone("yard")
        assert set(agents()) == {"gate"}


async def test_an_agent_that_is_killed_is_told_as_lost_and_started_again():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN)})
        await edge.until_online()
        os.kill(agents()["front"][0], signal.SIGKILL)
        await edge.until_offline("its agent is not connected", timeout_s=2)
        await edge.until_online()
        await edge.until_more(1)


async def test_a_restart_is_a_new_process_at_once():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN)})
        await edge.until_online()
        await edge.until_more(1)
        before = agents()["front"][0]
        edge.supervisor.restart_camera("front")
        await edge.until("its end", lambda: edge.stats["front"].ended)
        await edge.until_online()
        assert agents()["front"][0] != before
        with pytest.raises(ConfigurationError, match="camera yard is not assigned to this edge; it has: front"):
            edge.supervisor.restart_camera("yard")


async def test_detection_and_rate_are_told_without_a_restart():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN, detect=False)})
        await edge.until_online()
        process = agents()["front"]
        await edge.until("three reports", lambda: len(edge.reports) >= 4 or edge.stats["front"].fps > 15)
        assert edge.count() == 0
        edge.supervisor.assign_cameras({"front": assigned(PATTERN, rate=4)})
        seconds = await edge.until_more(9)
        assert seconds > 8 / 4 * 0.8
        edge.supervisor.assign_cameras({"front": assigned(PATTERN, detect=False)})
        await edge.until_online()
        edge.supervisor.assign_cameras({"front": assigned(PATTERN)})
        assert await edge.until_more(20) < 20 / 4
        assert agents()["front"] == process


@pytest.mark.slow
async def test_a_reader_that_hangs_in_a_call_ends_its_process_and_another_tries(tmp_path):
    """Opening a pipe that nobody writes to never returns, and cannot be interrupted."""
    pipe = tmp_path / "video.mp4"
    os.mkfifo(pipe)
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(str(pipe), stale_after=STALE_S)})
        await edge.until_offline("connecting")
        before = agents()["front"][0]
        await edge.until_offline("its reader hangs")
        await edge.until("another process", lambda: agents().get("front", (before,))[0] != before)


async def test_a_process_that_hangs_says_so_by_its_exit_code(tmp_path):
    pipe = tmp_path / "video.mp4"
    os.mkfifo(pipe)
    told = json.dumps({"settings": {"source": str(pipe), "stale_after": STALE_S}})
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "camera", "--settings", "-", "--name", "front", "--edge", "127.0.0.1:9",
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(f"{told}\n".encode()), 30)
    assert process.returncode == HUNG_EXIT_CODE
    assert b"camera front: its reader hangs" in said


async def test_what_is_no_source_is_told_and_tried_again(tmp_path):
    clip = tmp_path / "clip.mp4"
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"clip": assigned(str(clip)), "odd": assigned(f"odd://me:{UNSEEN}@camera/1")})
        await edge.until_offline("clip.mp4 does not exist", "clip")
        await edge.until_offline("camera source odd://... is not supported; write file://", "odd")
        clip.symlink_to(Path(__file__).parents[2] / "camera_sources" / "footage" / "vtest-clip.mp4")
        await edge.until_online("clip")


async def test_an_agent_whose_parent_is_gone_before_it_began_ends():
    """Nobody tells it then: here its parent is said to be another process."""
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "camera", "--settings", "-", "--name", "front", "--edge", "127.0.0.1:9", "--parent", "1",
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(f"{assigned(PATTERN).encode()}\n".encode()), 30)
    assert process.returncode == 0
    assert b"the process that started this one is gone" in said


async def test_agents_end_with_whoever_looks_after_them():
    with web_camera("--login", LOGIN) as camera:
        settings = assigned(f"http://{LOGIN}@{camera.address}/stream")
        async with kept_agent(settings) as (keeper, child):
            told = [" ".join(child.cmdline()), str(child.environ())]
            keeper.kill()
            await asyncio.to_thread(child.wait, SOON_S)
    assert "--settings" in told[0]
    assert "mine" not in told[0]
    assert UNSEEN not in "".join(told)


@pytest.mark.parametrize("path", one_in(2, [os.environ["PATH"], ""]), ids=["setpriv", "no setpriv"])
@pytest.mark.parametrize("numbers", one_in(3, [[signal.SIGSTOP], [], [signal.SIGTERM, signal.SIGTERM]]))
async def test_agents_end_with_their_parent_whatever_they_do_then(tmp_path, path, numbers):
    """Here it is in a call of a driver that never returns."""
    pipe = tmp_path / "video.mp4"
    os.mkfifo(pipe)
    async with kept_agent(assigned(str(pipe)), PATH=path) as (keeper, child):
        for number in numbers:
            child.send_signal(number)
        keeper.kill()
        await asyncio.to_thread(child.wait, SOON_S)


SOON_S = 3.0
"""A second, and what a busy machine takes."""


@contextlib.asynccontextmanager
async def kept_agent(settings, **environment):
    """Whoever has started an agent, and the agent, in what its driver does."""
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip
    keeper.stdin.write(f"{settings.encode()}\n".encode())
    child = psutil.Process(int(await asyncio.wait_for(keeper.stdout.readline(), 30)))
    try:
        async with asyncio.timeout(30):
            while b"trying again" not in (line := await keeper.stderr.readline()):
                assert line, "it ended"
        yield keeper, child
    finally:
        with contextlib.suppress(ProcessLookupError):
            keeper.kill()
        await keeper.wait()
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


async def test_an_edge_prefers_its_own_agent_and_refuses_a_second_stranger():
    async with edge_side() as edge, hand_started(edge) as first:
        await edge.until_more(1)
        async with hand_started(edge) as second:
            _, said = await asyncio.wait_for(second.communicate(), 20)
            assert second.returncode == 1
            assert b"camera front is already fed by another agent, connected from 127.0.0.1:" in said
            assert said.splitlines()[-1].endswith(b"give this camera another --name")
        assert not edge.stats["front"].assigned
        edge.supervisor.assign_cameras({"front": assigned("test://128x96?fps=20")})
        await edge.until("its own pictures", lambda: edge.newest().height == 96)
        _, said = await asyncio.wait_for(first.communicate(), 20)
        assert first.returncode == 1
        assert b"camera front is assigned to this edge" in said
        await edge.until_more(20)
        assert {info.height for info, _ in edge.frames["front"][-20:]} == {96}
        assert edge.stats["front"].assigned
        edge.supervisor.assign_cameras({})
        await edge.until("its end", lambda: edge.stats["front"].ended)
        assert edge.stats["front"].assigned, "who has no such camera any more must not take it for a stranger's"


async def test_an_agent_that_comes_again_takes_the_place_of_its_older_connection():
    """Of which the edge does not know yet that it is dead."""
    async with edge_side() as edge:
        one, other = (CameraHeader(camera="front", token=token) for token in ("one", "other"))
        older = await Connection.open(edge.server.address, WireTraffic())
        await older.request(one.model_copy(update={"under_way": {7: "front-1-000007"}}), OutcomeHeader)
        newer = await Connection.open(edge.server.address, WireTraffic())
        await newer.request(one, ControlHeader)
        await newer.expect(ReadyHeader)
        for kind in (ControlHeader, ReadyHeader):
            await older.expect(kind)
        with pytest.raises(PeerLostError):
            await older.receive()
        stranger = await Connection.open(edge.server.address, WireTraffic())
        with pytest.raises(ProtocolError, match="already fed"):
            await stranger.request(other, ControlHeader)
        newer.close()
        await edge.until("its end", lambda: edge.sessions.cameras == ())
        welcome = await Connection.open(edge.server.address, WireTraffic())
        await welcome.request(other, ControlHeader)
        welcome.close()


async def test_a_frame_that_an_edge_fails_at_has_an_end_and_its_camera_goes_on(monkeypatch):
    async with edge_side() as edge:
        accept, left = edge.accept_frame, [1, 2, 3]

        async def fail_at_first(*frame, **promised):
            if left:
                left.pop()
                raise ValueError
            await accept(*frame, **promised)

        monkeypatch.setattr(edge, "accept_frame", fail_at_first)
        async with hand_started(edge):
            await edge.until_more(10)
            await edge.until("an account", lambda: edge.stats["front"].counts.published >= 10)
        assert edge.stats["front"].counts.dropped[Outcome.FAILED] == 3


async def test_nobody_asks_for_frames_of_another_camera():
    async with edge_side() as edge:
        connection = await Connection.open(edge.server.address, WireTraffic())
        with pytest.raises(ProtocolError, match="frame yard-1-000001 is not of camera front"):
            await connection.request(CameraHeader(camera="front", under_way={1: "yard-1-000001"}), ReadyHeader)


@contextlib.asynccontextmanager
async def hand_started(edge, source=PATTERN, *options):
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "camera", "--source", source, "--name", "front", "--edge", str(edge.server.address), *options,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


KEEPER = """
import asyncio, sys
from camera_sources.camera_settings import AssignedCamera
from edge.cameras.agent_process import AgentStarter
from shared.network.addresses import Address

async def main():
    camera, edge = AssignedCamera.decode(sys.stdin.readline()), Address("127.0.0.1", 9)
    process = await AgentStarter().start("front", camera, edge, "mine")
    print(process.pid, flush=True)
    await process.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "settings of a camera: settings: Invalid JSON"),
        (
            '{"settings": {"source": "rtsp://me:s3cr3t@camera", "turn": 90}}',
            "settings of a camera: settings.turn: Extra",
        ),
    ],
)
async def test_settings_that_cannot_be_end_with_one_line(line, said):
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "camera", "--settings", "-", "--name", "front", "--edge", "127.0.0.1:9",
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(f"{line}\n".encode()), 30)
    assert process.returncode == 2
    assert said in errors.decode()
    assert len(errors.splitlines()) == 1
    assert UNSEEN not in errors.decode()


@pytest.mark.parametrize("options", [(), ("--source", ".", "--settings", "-"), ("--settings", "camera.json")])
def test_a_source_is_named_once_and_settings_come_by_standard_input(options):
    done = run("camera", "--name", "front", "--edge", "127.0.0.1:9", *options)
    assert done.returncode == 2
    assert "--settings -" in done.stderr


BY_HAND = {
    "usual": ((), 5.0),
    "another rate": (("--fps", "8"), 8.0),
    "all": (("--fps", "all"), 20.0),
    "every frame": (("--every-frame",), None),
}


@pytest.mark.slow
@pytest.mark.parametrize(("options", "fps"), BY_HAND.values(), ids=BY_HAND)
async def test_a_camera_that_is_started_by_hand_sends_five_a_second_unless_told_otherwise(options, fps):
    async with edge_side() as edge, hand_started(edge, "test://320x240?fps=20", *options):
        await edge.until_more(2)
        frames = 60 if fps is None else 20
        took_s = await edge.until_more(frames)
        assert fps is None or frames / took_s == pytest.approx(fps, rel=0.2)
        assert fps is not None or frames / took_s > 20


@pytest.mark.slow
@pytest.mark.parametrize(("options", "most"), [((), 12), (("--no-motion-gate",), None)], ids=["usual", "no gate"])
async def test_a_camera_that_is_started_by_hand_sends_little_of_a_still_scene_unless_told_otherwise(
    options, most, tmp_path
):
    """A folder of one picture, played ten times as fast as usual: the gate closes five seconds after its first one."""
    (tmp_path / "a.png").write_bytes((Path(__file__).parents[1] / "photos" / "camera.jpg").read_bytes())
    async with edge_side() as edge, hand_started(edge, str(tmp_path), "--loop", "--fps", "2", *options):
        await edge.until_more(8)
        with contextlib.suppress(AssertionError):
            await edge.until_more(8, timeout_s=5)
        assert most is None or edge.count() <= most
        assert most is not None or edge.count() >= 16


async def test_motion_is_sent_and_stillness_is_not(tmp_path):
    """The pattern moves; a folder with one picture does not."""
    still = tmp_path / "still"
    still.mkdir()
    (still / "a.png").write_bytes((Path(__file__).parents[1] / "photos" / "camera.jpg").read_bytes())
    gate = {"enabled": True, "hold": 0, "keep_alive": 3600}
    async with edge_side() as edge:
        edge.supervisor.assign_cameras(
            {"moving": assigned("test://320x240?fps=20", motion=gate), "still": assigned(str(still), motion=gate)}
        )
        await edge.until_online("still")
        await edge.until_more(30, "moving")
        assert edge.state("still")[0] is State.ONLINE
        assert edge.count("still") == 1
