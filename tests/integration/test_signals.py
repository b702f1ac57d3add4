"""Every process ends when it is told to: soon after a first signal, at once after a second, without a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from shared.process.local_cluster import free_port
from tests.commands import DEEPTHINGS

AT_ONCE_S = 2.5
"""A second, and what starting threads and pipes takes on a busy machine."""


@pytest.fixture
def temporary():
    """A folder for temporary files that also the user of Mosquitto can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.asynccontextmanager
async def running(*arguments, **options):
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, **options,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def said(process, words, timeout_s=30):
    """Read standard error until a line has these words."""
    async with asyncio.timeout(timeout_s):
        while line := await process.stderr.readline():
            if words in line.decode():
                return
    raise AssertionError(f"it ended without {words!r}")


async def ended(process, timeout_s):
    """Its exit code, with 128 + n for one that was ended by signal n, and what it said."""
    _, errors = await asyncio.wait_for(process.communicate(), timeout_s)
    return 128 - process.returncode if process.returncode < 0 else process.returncode, errors.decode()


def of(name, tmp_path):
    """A command that runs until it is told to stop, and what it says when it does."""
    nobody = f"127.0.0.1:{free_port()}"
    return {
        "gateway": (("gateway", "--port", str(free_port())), "connected to broker"),
        "edge": (("edge", "--gateway", nobody, "--name", "one", "--cache", str(tmp_path)), "trying again"),
        "camera": (("camera", "--source", "test://64x48", "--name", "front", "--edge", nobody), "trying again"),
        "watch": (("watch", "--gateway", nobody), "trying again"),
        "demo": (("demo", "--headless", "--edges", "1", "--frames", "0", "--out", str(tmp_path)), "Follow it"),
    }[name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", ["edge", "camera", "watch"])
async def test_a_process_stops_at_a_first_signal(tmp_path, name, number):
    arguments, words = of(name, tmp_path)
    async with running(DEEPTHINGS, *arguments) as process:
        await said(process, words)
        process.send_signal(number)
        code, errors = await ended(process, 10)
    assert (code, "Traceback" in errors) == (0, False), errors


@pytest.mark.parametrize("name", ["gateway", "edge", "camera", "watch", "demo"])
async def test_a_second_signal_ends_a_process_at_once(tmp_path, temporary, name):
    arguments, words = of(name, tmp_path)
    async with running(DEEPTHINGS, *arguments, env=os.environ | {"TMPDIR": str(temporary)}) as process:
        await said(process, words)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        code, errors = await ended(process, 10)
        assert time.monotonic() - begun < AT_ONCE_S
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert alive == []
    assert code in {0, 128 + signal.SIGINT, 128 + signal.SIGTERM}
    assert "Traceback" not in errors, errors
    assert list(temporary.glob("deepthings-*")) == []


def _hears(process, number):
    """Whether a process catches a signal, and whether it has loaded what a gateway computes with."""
    caught = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "SigCgt" in line)
    loaded = "numpy" in Path(f"/proc/{process.pid}/maps").read_text()
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1), loaded


async def test_a_gateway_that_only_begins_is_not_ended_by_a_reload(temporary):
    arguments, words = of("gateway", temporary)
    async with running(DEEPTHINGS, *arguments, env=os.environ | {"TMPDIR": str(temporary)}) as process:
        while not any(heard := _hears(process, signal.SIGHUP)):  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.002)
        assert heard == (True, False)
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.1)  # in all stages of its beginning
        await said(process, words)
        assert process.returncode is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_command_that_is_ended_leaves_no_temporary_folder(temporary, number):
    async with running(DEEPTHINGS, "verify", env=os.environ | {"TMPDIR": str(temporary)}) as process:
        async with asyncio.timeout(30):
            while not list(temporary.glob("deepthings-*")):  # noqa: ASYNC110  (nobody tells)
                await asyncio.sleep(0.01)
        process.send_signal(number)
        code, errors = await ended(process, 10)
    assert (code, errors.strip()) == (128 + number, ""), errors
    assert list(temporary.glob("deepthings-*")) == []


async def test_what_a_killed_gateway_leaves_is_removed_by_the_next(temporary):
    environment = os.environ | {"TMPDIR": str(temporary), "XDG_STATE_HOME": str(temporary / "state")}
    left = []
    for _ in range(2):
        arguments, words = of("gateway", temporary)
        async with running(DEEPTHINGS, *arguments, env=environment) as process:
            await said(process, words)
            assert not any(path.exists() for path in left)
            left = list(temporary.glob("deepthings-*"))
            assert len(left) == 1
    assert left[0].exists()


NEVER_ENDING = """
import asyncio, signal, sys, time
from shared.process import signals
from shared.process.lifecycle import run_service
signals.PROCESS_STOP_TIMEOUT_S = float(sys.argv[1])

async def ignoring(stop):
    print("begun", file=sys.stderr, flush=True)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def hanging(stop):
    print("begun", file=sys.stderr, flush=True)
    time.sleep(600)

async def hearing(stop):
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, print)
    await hanging(stop)

run_service({"ignoring": ignoring, "hanging": hanging, "hearing": hearing}[sys.argv[2]])
"""


@pytest.mark.parametrize("main", ["ignoring", "hanging", "hearing"])
@pytest.mark.parametrize(("signals", "stop_within_s"), [(1, 0.2), (2, 60), (3, 60)])
async def test_what_never_ends_is_ended(main, signals, stop_within_s):
    async with running(sys.executable, "-c", NEVER_ENDING, str(stop_within_s), main) as process:
        await said(process, "begun")
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        code, errors = await ended(process, AT_ONCE_S)
    assert code == 128 + signal.SIGTERM
    assert ("did not stop within" in errors) == (signals == 1)
    assert "Traceback" not in errors


async def test_whoever_reads_what_it_says_may_be_frozen(tmp_path):
    """Standard error is a pipe that is full: to write its last words would take for ever."""
    full = "import os, sys\nos.set_blocking(2, False)\ntry:\n    while True: os.write(2, b'x' * 4096)\n"
    full += "except BlockingIOError: os.set_blocking(2, True)\n"
    code = NEVER_ENDING.replace('print("begun", file=sys.stderr, flush=True)', "open(sys.argv[3], 'w').close()")
    flag = tmp_path / "begun"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", full + code, "0.2", "ignoring", str(flag), stderr=asyncio.subprocess.PIPE, limit=1
    )
    try:
        async with asyncio.timeout(20):
            while not flag.exists():  # noqa: ASYNC110  (another process makes it)
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            while process.returncode is None:  # noqa: ASYNC110  (to wait would read what it says)
                await asyncio.sleep(0.02)
    finally:
        process._transport.close()
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("delay_s", [0.15, 0.3, 0.5, 0.8, 1.2])
async def test_an_interrupt_while_it_begins_says_nothing(tmp_path, delay_s):
    async with running(DEEPTHINGS, *of("gateway", tmp_path)[0]) as process:
        await asyncio.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        code, errors = await ended(process, 10)
    assert code in {0, 128 + signal.SIGINT}
    assert "Traceback" not in errors


async def test_a_gateway_that_is_asked_to_reload_while_it_begins_or_stops_goes_on(tmp_path):
    arguments, words = of("gateway", tmp_path)
    file = tmp_path / "deepthings.yaml"
    file.write_text(f"state: {tmp_path}\ncameras: {{}}\n")
    async with running(DEEPTHINGS, *arguments, "--config", str(file)) as process:
        await said(process, "Mosquitto listens")
        process.send_signal(signal.SIGHUP)
        await said(process, words)
        process.send_signal(signal.SIGHUP)
        await said(process, "configuration read again")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        code, errors = await ended(process, 10)
    assert (code, "Traceback" in errors) == (0, False), errors


async def test_a_hang_up_is_ignored_where_that_was_asked_for(tmp_path):
    arguments, words = of("edge", tmp_path)
    async with running("nohup", DEEPTHINGS, *arguments) as process:
        await said(process, words)
        process.send_signal(signal.SIGHUP)
        await said(process, "has not answered for 10 s")
        assert process.returncode is None


def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen([DEEPTHINGS, "plan"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
        code = process.wait(60)
    assert (code, errors) == (1, "")
