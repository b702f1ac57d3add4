"""Processes as systemd starts them: what they tell it, what they log, and whether it accepts their units."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.broker.broker_listeners import cluster_listener
from gateway.broker.mosquitto import own_broker
from shared.network.addresses import LOOPBACK, Address
from shared.systemd import units
from tests.commands import DEEPTHINGS, run
from tests.extent import one_in
from tests.notified import service_manager
from tests.ports import free_port

WATCHDOG_S = 2.0


@contextlib.asynccontextmanager
async def running(manager, *arguments, program=(DEEPTHINGS,), **environment):
    """A process with a service manager, ended at the end of the context."""
    process = await asyncio.create_subprocess_exec(
        *program, *arguments, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))} | environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def own_ports():
    """Options for a gateway whose ports nobody uses."""
    return "--cluster-port", str(free_port()), "--data-port", "0", "--page-port", "0"


async def stopped(manager, process):
    process.send_signal(signal.SIGTERM)
    await manager.until("STOPPING=1", 5)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, errors.decode()


@pytest.fixture(params=one_in(2, ["path", "abstract"]))
def address(request, tmp_path):
    return str(tmp_path / "notify") if request.param == "path" else f"@deepthings-test-{os.getpid()}"


async def test_a_gateway_is_ready_when_it_is_connected_and_tells_that_it_lives(address):
    """Its Mosquitto, which speaks the same protocol, must not speak for it."""
    with service_manager(address) as manager:
        async with running(manager, "gateway", "--port", str(free_port()), *own_ports()) as process:
            assert "STATUS=connected to its own broker" in await manager.until("READY=1")
            await manager.until("WATCHDOG=1", WATCHDOG_S)
            await manager.until("WATCHDOG=1", WATCHDOG_S)
            await stopped(manager, process)
    assert [each for each in manager.told if "Mosquitto" in each or "mosquitto" in each] == []


@pytest.mark.slow
async def test_who_has_no_gateway_yet_is_ready_all_the_same_and_says_so(tmp_path):
    port = free_port()
    with service_manager(str(tmp_path / "notify")) as manager:
        options = ("--gateway", f"{LOOPBACK}:{port}", "--name", "one", "--cache", str(tmp_path))
        async with running(manager, "edge", *options) as process:
            assert "not connected to broker" in await manager.until("READY=1")
            async with own_broker(cluster_listener(Address(LOOPBACK, port))):
                await manager.until("STATUS=connected to broker")
            await manager.until("STATUS=not connected to broker")
            await stopped(manager, process)


async def test_a_gateway_whose_broker_is_down_at_boot_is_ready(tmp_path):
    with service_manager(str(tmp_path / "notify")) as manager:
        async with running(manager, "gateway", "--broker", f"{LOOPBACK}:{free_port()}", *own_ports()) as process:
            assert "STATUS=connected to its own broker" in await manager.until("READY=1")
            await stopped(manager, process)


async def test_a_camera_tells_that_it_waits_for_its_edge(tmp_path):
    options = ("--source", "test://64x48", "--name", "front", "--edge", f"{LOOPBACK}:{free_port()}")
    with service_manager(str(tmp_path / "notify")) as manager:
        async with running(manager, "camera", *options) as process:
            assert "not connected to edge" in await manager.until("READY=1")
            await stopped(manager, process)


HANGING = """
import asyncio, sys, time
from shared.process.lifecycle import run_service
async def main(stop):
    await asyncio.sleep(0.1)
    time.sleep(60)
run_service(main)
"""


@pytest.mark.slow
async def test_a_loop_that_hangs_is_silent_and_its_end_tells_where(tmp_path):
    """What systemd does then is to send SIGABRT."""
    with service_manager(str(tmp_path / "notify")) as manager:
        async with running(manager, "-c", HANGING, program=(sys.executable,)) as process:
            await manager.until("WATCHDOG=1")
            assert await manager.silent(2 * WATCHDOG_S)
            process.send_signal(signal.SIGABRT)
            _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == -signal.SIGABRT
    assert 'File "<string>", line 6 in main' in errors.decode()


async def test_nothing_is_told_to_a_manager_that_is_not_there(tmp_path):
    """The same without one, and with one whose socket has gone: the process works."""
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "nonsense"}):
        process = await asyncio.create_subprocess_exec(
            DEEPTHINGS, "watch", "--gateway", f"{LOOPBACK}:{free_port()}", stderr=asyncio.subprocess.PIPE,
            env=os.environ | environment,
        )  # fmt: skip
        assert process.stderr is not None
        assert "trying again" in (await asyncio.wait_for(process.stderr.readline(), 20)).decode()
        process.terminate()
        await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0


@pytest.mark.parametrize("in_journal", [True, False])
def test_a_line_in_the_journal_has_its_priority_in_the_place_of_the_time(in_journal):
    reading, writing = os.pipe()
    status = os.fstat(writing)
    stream = f"{status.st_dev}:{status.st_ino if in_journal else status.st_ino + 1}"
    process = subprocess.Popen(
        [DEEPTHINGS, "watch", "--gateway", f"{LOOPBACK}:{free_port()}"], stderr=writing,
        env=os.environ | {"JOURNAL_STREAM": stream},
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as lines:
        first = lines.readline()
        process.terminate()
        process.wait(20)
    expected = r"<4>WARNING shared\.mqtt\.bus: " if in_journal else r"\d\d:\d\d:\d\d WARNING shared\.mqtt\.bus: "
    assert re.match(expected, first), first


ROLES = {
    "gateway": ("--port", "1883", "--listen", "192.168.1.10"),
    "edge": ("--gateway", "192.168.1.10", "--name", "shed"),
    "camera": ("--source", "rtsp://192.168.1.20/100%$HOME ü", "--name", "front", "--edge", f"{LOOPBACK}:7701"),
}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("role", ROLES)
def test_systemd_accepts_the_unit(role, tmp_path):
    printed = run("service", "install", role, *ROLES[role], "--user", "root", "--print", cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    unit = tmp_path / f"deepthings-{role}.service"
    unit.write_text(printed.stdout)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in checked.stderr.splitlines() if unit.name in line]
    assert (checked.returncode, said) == (0, []), checked.stderr


def test_who_cannot_install_a_service_is_told_why_and_nothing_is_written(tmp_path):
    done = run("service", "install", "edge", "--gateway", "192.168.1.10", cwd=tmp_path)
    if units.is_systemd_running() and os.geteuid() == 0:
        pytest.skip("here a service would be installed")
    assert done.returncode == 1
    assert "this needs root: run it with sudo" in done.stderr or "systemd is not running here" in done.stderr
    assert not Path("/etc/systemd/system/deepthings-edge.service").exists()
