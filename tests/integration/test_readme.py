"""The commands of the documentation that run a cluster, executed as they stand there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil

import pytest

from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import FrameDetections
from tests.commands import run
from tests.documents import ALL, ROOT, SERVICES, commands, free_ports, kind_of, running, words_of
from tests.harness import broker_at


@pytest.fixture
def ports():
    return free_ports()


def test_this_file_knows_every_command_of_the_documents():
    unknown = [line for line in ALL if kind_of(line) is None]
    assert not unknown
    assert len(ALL) >= 10


async def test_the_walk_through_works_from_the_first_command_to_the_last(ports, tmp_path):
    """Gateway, edges and camera as the README starts them, both ways to watch, and how they are."""
    other = ("0.0.0.0", "--config")  # noqa: S104
    lines = [line for line in commands(ROOT / "README.md") if not any(word in line for word in other)]
    async with contextlib.AsyncExitStack() as stack:
        for line in lines:
            if kind_of(line) in SERVICES:
                await stack.enter_async_context(running(words_of(line, ports), SERVICES[kind_of(line)]))
        for line in lines:
            if kind_of(line) == "watch":
                assert "campus #" in await first_line([*words_of(line, ports), "--frames", "1"])
            if kind_of(line) == "status":
                assert "gateway  online" in await first_line(words_of(line, ports))
            if kind_of(line) == "doctor":
                assert "between this device and the detections" in await first_line(words_of(line, ports), {0, 1})
            if kind_of(line) == "trace":
                said = await first_line([*words_of(line, ports), "--out", str(tmp_path / "trace.json")])
                assert "frames of campus" in said
            if kind_of(line) == "mosquitto_sub" and shutil.which("mosquitto_sub"):
                said = await first_line([*words_of(line, ports), "-C", "1"])
                assert FrameDetections.model_validate_json(said).camera == "campus"


@pytest.mark.slow
async def test_a_gateway_with_the_cameras_of_a_file_serves_them_with_whatever_edge_there_is(
    ports, monkeypatch, tmp_path
):
    """As the README starts it; an edge beside it gets the camera."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (line,) = [line for line in commands(ROOT / "README.md") if line.startswith("deepthings gateway --config")]
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(words_of(line, ports), SERVICES["gateway"]))
        edge = f"deepthings edge --gateway 127.0.0.1 --name shed --cache {tmp_path}"
        await stack.enter_async_context(running(words_of(edge, ports), "is online: 768x576"))
        said = await first_line(words_of("deepthings watch --gateway 127.0.0.1 --frames 1", ports))
        assert "street #" in said


async def first_line(words, codes=frozenset({0})):
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode in codes
    return out.decode().splitlines()[0]


@pytest.mark.slow
async def test_how_a_cluster_is_can_be_asked_as_the_documents_say(ports):
    lines = [line for line in commands(ROOT / "docs" / "status.md") if kind_of(line) == "status"]
    assert len(lines) == 3
    gateway = words_of("deepthings gateway --port 1883", ports)
    async with running(gateway, SERVICES["gateway"]):
        for line in lines:
            words = words_of(line, ports)
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
            assert process.stdout is not None
            async with asyncio.timeout(30):
                said = (await process.stdout.readline()).decode()
                if "--watch" in words:
                    process.terminate()
                await process.communicate()
            assert process.returncode == 0
            assert json.loads(said)["gateway"] if "--json" in words else said.startswith("gateway  online")


@pytest.mark.slow
async def test_where_the_time_goes_can_be_asked_as_the_documents_say(ports, tmp_path):
    lines = [line for line in commands(ROOT / "docs" / "trace.md") if kind_of(line) == "trace"]
    assert len(lines) == 3
    async with running(words_of("deepthings gateway --port 1883", ports), SERVICES["gateway"]):
        for line in lines:
            words = words_of(line, ports)
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
            out, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0
            said = out.decode()
            assert json.loads(said)["frames"] == 0 if "--json" in words else said.startswith("no frame was published")
    assert {path.name for path in tmp_path.iterdir()} == {"deepthings-trace.json", "minute.json"}


async def test_an_invited_edge_joins_the_gateway_over_the_network(ports, tmp_path, monkeypatch):
    """As the README says; the code is pasted on what is another device, as far as its files go."""
    lines = commands(ROOT / "README.md")
    gateway, invite = (
        line for line in lines if line in {"deepthings gateway --listen 0.0.0.0", "deepthings invite attic"}
    )
    (edge,) = (line for line in lines if line.startswith("deepthings edge --listen"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "gateway"))
    async with running(words_of(gateway, ports), SERVICES["gateway"]):
        said = await asyncio.to_thread(run, *words_of(invite, ports)[1:])
        (join,) = re.findall(r"deepthings join .*", said.stdout)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "attic"))
        joined = await asyncio.to_thread(run, *join.split()[1:])
        assert "edge 'attic'" in joined.stdout, joined.stderr
        async with running(words_of(edge, ports), SERVICES["edge"]):
            pass


async def test_a_broker_that_runs_already_can_be_used(ports):
    (line,) = commands(ROOT / "mosquitto" / "README.md")
    async with broker_at(Address(LOOPBACK, int(ports["1883"]))), running(words_of(line, ports), SERVICES["gateway"]):
        pass
