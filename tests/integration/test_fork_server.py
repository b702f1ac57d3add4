"""The fork server with real processes: whoever is killed, no agent is left over, and nothing secret is seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import psutil
import pytest

from camera_sources.camera_settings import TOKEN_VARIABLE
from edge.cameras.agent_process import AgentStarter
from shared.network.addresses import Address
from shared.process.children import stop_process
from shared.process.footprint import child_processes, descendants, short_name
from tests.cameras import UNSEEN, assigned, edge_side, until_gone
from tests.extent import one_in
from tests.settling import until

PATTERN = "test://64x48?fps=20"
NO_EDGE = Address("127.0.0.1", 9)
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "camera-source"
SOON_S = 3.0
"""A second, and what a busy machine takes."""


@contextlib.asynccontextmanager
async def starting():
    starter = AgentStarter()
    try:
        yield starter
    finally:
        await starter.close()
        assert not child_processes(os.getpid())


def fork_server():
    (process,) = child_processes(os.getpid())
    return psutil.Process(process)


async def ended(process, timeout_s=SOON_S):
    return await asyncio.wait_for(process.wait(), timeout_s)


async def test_agents_are_children_of_one_process_that_has_one_thread_and_no_onnxruntime():
    async with starting() as starter:
        one = await starter.start("one", assigned(PATTERN), NO_EDGE, "a")
        other = await starter.start("other", assigned(PATTERN), NO_EDGE, "b")
        server = fork_server()
        assert {child.pid for child in server.children()} == {one.pid, other.pid}
        assert server.num_threads() == 1
        assert not [file.path for file in server.memory_maps() if "onnxruntime" in file.path]
        processes = (os.getpid(), server.pid, one.pid, other.pid)
        await until("a session of its own for each agent", lambda: len(set(map(os.getsid, processes))) == 4)


async def test_ps_shows_which_camera_an_agent_has_and_nothing_that_is_secret():
    async with starting() as starter:
        agent = await starter.start("front", assigned(f"http://me:{UNSEEN}@127.0.0.1:9/"), NO_EDGE, "t0ken")
        await until_named(agent.pid)
        told = b"".join(
            (Path(f"/proc/{pid}") / file).read_bytes()
            for pid in (agent.pid, fork_server().pid)
            for file in ("cmdline", "environ")
        )
        assert b"deepthings\0camera\0--settings\0-\0--name\0front\0" in told
        assert UNSEEN.encode() not in told
        assert b"t0ken" not in told
        assert TOKEN_VARIABLE.encode() not in told


async def until_named(pid):
    async with asyncio.timeout(SOON_S):
        while not short_name(pid).startswith("camera"):  # noqa: ASYNC110  (nothing tells when a process is renamed)
            await asyncio.sleep(0.01)
    assert short_name(pid) == "camera front"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name)
async def test_the_end_of_an_agent_is_reported_with_what_ended_it(number):
    async with starting() as starter:
        agent, other = [await starter.start(name, assigned(PATTERN), NO_EDGE, name) for name in ("one", "other")]
        await until_in_command(agent.pid)
        await until_in_command(other.pid)
        os.kill(agent.pid, number)
        assert await ended(agent) == (0 if number is signal.SIGTERM else -number)
        assert not psutil.pid_exists(agent.pid), "it is a zombie"
        assert other.returncode is None
        agent.kill()  # of one that has ended: nothing
        await stop_process(other, 10)
        assert other.returncode == 0


async def until_in_command(pid):
    """Wait until an agent handles signals itself: its threads run by then."""
    async with asyncio.timeout(30):
        while psutil.Process(pid).num_threads() < 3:  # noqa: ASYNC110  (a test can only poll)
            await asyncio.sleep(0.01)


async def test_a_signal_right_after_the_start_is_not_lost():
    async with starting() as starter:
        agents_ = [await starter.start(f"c{number}", assigned(PATTERN), NO_EDGE, "t") for number in range(3)]
        for agent in agents_:
            agent.terminate()
        codes = [await ended(agent, 10) for agent in agents_]
        assert set(codes) <= {0, -signal.SIGTERM, 128 + signal.SIGTERM}


async def test_settings_that_cannot_be_end_with_the_exit_code_of_a_configuration():
    async with starting() as starter:
        broken = assigned(PATTERN).model_copy(update={"fps": -1})
        agent = await starter.start("front", broken, NO_EDGE, "t")
        assert await ended(agent, 10) == 2


async def test_an_ended_fork_server_takes_its_agents_with_it_and_the_next_start_has_another():
    async with starting() as starter:
        agent = await starter.start("front", assigned(PATTERN), NO_EDGE, "t")
        before = fork_server()
        before.kill()
        assert await ended(agent) == -signal.SIGKILL
        await until_ended([agent.pid])
        with contextlib.suppress(ConnectionResetError):  # if its end is not known yet
            await starter.start("front", assigned(PATTERN), NO_EDGE, "t")
        again = await starter.start("front", assigned(PATTERN), NO_EDGE, "t")
        assert fork_server().pid != before.pid
        assert again.returncode is None


async def test_an_edge_goes_on_after_the_end_of_its_fork_server():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN), "yard": assigned(PATTERN)})
        await edge.until_online("front")
        await edge.until_online("yard")
        fork_server().kill()
        await edge.until_offline("its agent is not connected", "front")
        await edge.until_more(3, "front")
        await edge.until_more(3, "yard")


async def test_an_edge_without_cameras_has_no_fork_server():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN)})
        await edge.until_more(1)
        server = fork_server()
        edge.supervisor.assign_cameras({})
        await until_gone("front")
        await asyncio.to_thread(server.wait, SOON_S)
        edge.supervisor.assign_cameras({"front": assigned(PATTERN)})
        await edge.until_more(1)


async def test_a_start_that_is_cancelled_leaves_no_agent():
    async with starting() as starter:
        await stop_process(await starter.start("first", assigned(PATTERN), NO_EDGE, "t"), 10)
        begun = asyncio.create_task(starter.start("front", assigned(PATTERN), NO_EDGE, "t"))
        await asyncio.sleep(0)  # it has sent its request, and waits for the answer
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        last = await starter.start("last", assigned(PATTERN), NO_EDGE, "t")
        async with asyncio.timeout(SOON_S):
            while {child.pid for child in fork_server().children()} != {last.pid}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert begun.cancelled()


async def test_a_fork_that_fails_says_why_and_the_next_may_succeed(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(FAILING_FORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with starting() as starter:
        with pytest.raises(OSError, match="Cannot allocate memory"):
            await starter.start("front", assigned(PATTERN), NO_EDGE, "t")
        agent = await starter.start("front", assigned(PATTERN), NO_EDGE, "t")
        assert agent.returncode is None


FAILING_FORK = """
import errno, os
fork = os.fork

def fail():
    os.fork = fork
    raise OSError(errno.ENOMEM, "no memory")

os.fork = fail
"""


async def test_a_source_of_a_third_party_works_in_an_agent(tmp_path, monkeypatch):
    shutil.copy(EXAMPLE / "deepthings_clock.py", tmp_path)
    described = tmp_path / "deepthings_clock-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: deepthings_clock\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[deepthings.camera_sources]\nclock = deepthings_clock:Clock\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned("clock://320x180")})
        await edge.until_more(2)
        assert edge.newest().width == 320


KEEPER = """
import asyncio, sys
from camera_sources.camera_settings import AssignedCamera, CameraSettings
from edge.cameras.agent_process import AgentStarter
from shared.network.addresses import Address

async def main():
    starter = AgentStarter()
    camera = AssignedCamera(settings=CameraSettings(source="test://64x48?fps=20"))
    started = [await starter.start(f"c{n}", camera, Address("127.0.0.1", 9), "mine") for n in range(4)]
    print(*(process.pid for process in started), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("path", one_in(2, [os.environ["PATH"], ""]), ids=["setpriv", "no setpriv"])
async def test_an_edge_that_is_killed_leaves_no_process(path):
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEPER, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PATH": path}
    )
    try:
        started = await asyncio.wait_for(keeper.stdout.readline(), 30)
        below = descendants(keeper.pid)
        assert {int(process) for process in started.split()} < set(below)
    finally:
        keeper.kill()
        await keeper.wait()
    await until_ended(below)


@pytest.mark.slow
async def test_an_edge_that_is_killed_while_it_starts_agents_leaves_no_process():
    for left in range(5):
        keeper = await asyncio.create_subprocess_exec(sys.executable, "-c", KEEPER, stdout=asyncio.subprocess.PIPE)
        below = []
        try:
            async with asyncio.timeout(30):
                while len(below) <= left:  # from the fork server alone to all agents
                    below = descendants(keeper.pid)
                    await asyncio.sleep(0.005)
        finally:
            keeper.kill()
            await keeper.wait()
        await until_ended(below)


async def until_ended(processes):
    """Wait until processes are gone that are nobody's children here."""
    async with asyncio.timeout(SOON_S):
        while any(psutil.pid_exists(process) for process in processes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
