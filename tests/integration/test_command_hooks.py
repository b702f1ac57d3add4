"""Commands that are really run: what they get, how they end, and what is left of them: nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from gateway.configuration.automation import CommandHookSection, HooksSection
from gateway.integrations.hooks.command import CommandSender
from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.runner import HookSet
from shared.payloads.observations import EventType
from tests.hook_events import event, trigger

DEADLINE_S = 15


def shell(script, *arguments, **settings):
    return CommandHookSection(command=("/bin/sh", "-c", script, "hook", *arguments), **settings)


async def run(hook, seen=None):
    async with asyncio.timeout(DEADLINE_S):
        return await CommandSender(hook).send(Delivery.from_event(seen or event()))


async def gone(pid):
    """Wait for the end of a process that is not a child of ours."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), DEADLINE_S)
    finally:
        loop.remove_reader(process)
        os.close(process)


async def test_the_event_is_on_its_standard_input(tmp_path):
    seen = event(EventType.END, label="Bär")
    outcome = await run(shell('cat > "$1"', str(tmp_path / "got")), seen)
    assert (outcome.failure, outcome.output) == ("", "")
    assert json.loads((tmp_path / "got").read_text()) == json.loads(seen.model_dump_json())


async def test_it_is_told_what_happened_and_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "s3cret")
    monkeypatch.setenv("TZ", "UTC")
    note = "import json, os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))"
    hook = CommandHookSection(command=(sys.executable, "-c", note, str(tmp_path / "told")))
    await run(hook, trigger("cat_in_yard", camera="back", label="cat", zone="yard"))
    told = json.loads((tmp_path / "told").read_text())
    assert {name: value for name, value in told.items() if name.startswith("DEEPTHINGS")} == {
        "DEEPTHINGS_EVENT": "trigger",
        "DEEPTHINGS_CAMERA": "back",
        "DEEPTHINGS_LABEL": "cat",
        "DEEPTHINGS_TRIGGER": "cat_in_yard",
    }
    assert told["PATH"] == os.environ["PATH"]
    assert told["TZ"] == "UTC"
    assert "MQTT_PASSWORD" not in told


async def test_no_shell_reads_its_arguments(tmp_path):
    show = (sys.executable, "-c", "import sys; print(sys.argv[1:])", "$HOME", "a b", "; rm -rf /tmp/x", "`id`")
    outcome = await run(CommandHookSection(command=show))
    assert outcome.output == str(list(show[3:]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("exit 3", "exit code 3"),
        ("echo first; echo 'no such light' >&2; exit 1", "exit code 1: no such light"),
        ("kill -TERM $$", "ended by SIGTERM"),
    ],
)
async def test_another_end_than_success_is_a_failure(script, failure):
    assert (await run(shell(script))).failure == failure


async def test_the_last_line_is_what_it_says():
    assert (await run(shell("echo one; echo; echo 'the light is on'; echo"))).output == "the light is on"


async def test_endless_output_is_not_kept():
    outcome = await run(shell("yes | head -c 20000000; echo; echo end"))
    assert (outcome.failure, outcome.output) == ("", "end")


async def test_a_command_that_reads_nothing_is_not_disturbed():
    assert (await run(shell("exec <&-; echo read nothing"))).output == "read nothing"


async def test_a_command_that_is_not_there_is_told():
    for missing in ("no-such-command-anywhere", "/no/such/command", str(Path(__file__))):
        outcome = await run(CommandHookSection(command=(missing,)))
        assert "the command was not found, or is not executable" in outcome.failure


async def test_at_the_end_of_its_time_its_children_end_too(tmp_path):
    pids = tmp_path / "pids"
    script = 'trap "" TERM; sleep 300 & echo $! >> "$1"; (trap "" TERM; sleep 301) & echo $! >> "$1"; echo off; wait'
    outcome = await run(shell(script, str(pids), timeout=1.5))
    assert outcome.failure == "not finished within 1.5 s, ended: off"
    children = [int(line) for line in pids.read_text().split()]
    assert len(children) == 2
    for child in children:
        await gone(child)


async def test_at_the_end_of_its_time_it_may_tidy_up():
    outcome = await run(shell('trap "echo tidied; exit 0" TERM; echo begun; sleep 300 & wait', timeout=1.5))
    assert outcome.failure == "not finished within 1.5 s, ended: tidied"


async def test_what_a_finished_command_leaves_running_ends_with_it():
    outcome = await run(shell("sleep 300 & echo $!"))
    assert outcome.failure == ""
    await gone(int(outcome.output))


async def test_one_who_left_the_group_with_the_output_open_delays_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.integrations.hooks.command_process.OUTPUT_TIMEOUT_S", 0.1)
    os.mkfifo(tmp_path / "left")
    script = """setsid sh -c 'echo $$; echo > "$0"; exec sleep 300' "$1" & read word < "$1" """
    outcome = await run(shell(script, str(tmp_path / "left")))
    assert outcome.failure == ""
    os.kill(int(outcome.output), 9)


async def test_cancelled_it_ends_with_all_its_children(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hook = shell('sleep 300 & echo $! > "$1"; wait', str(fifo), timeout=60)
    sending = asyncio.create_task(CommandSender(hook).send(Delivery.from_event(event())))
    child = int(await asyncio.to_thread(fifo.read_text))
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert sending.cancelled()
    await gone(child)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_many_runs_leave_no_descriptor_open():
    await run(shell("true"))
    before = descriptors()
    for _ in range(10):
        await run(shell("echo x"))
    await run(CommandHookSection(command=("no-such-command-anywhere",)))
    assert descriptors() <= before


async def test_through_the_hooks_its_name_and_last_line_are_logged_but_not_its_arguments(caplog):
    caplog.set_level("INFO")
    hooks = HookSet(HooksSection(commands=(shell("echo done", "t0ken"), shell("exit 9", "t0ken"))))
    hooks.notify(event())
    running = asyncio.create_task(hooks.run())
    await asyncio.sleep(0)
    running.cancel()  # the rest is drained
    await asyncio.gather(running, return_exceptions=True)
    assert [(counts.delivered, counts.failed) for counts in hooks.counts().values()] == [(1, 0), (0, 1)]
    assert list(hooks.counts()) == ["command 1 (sh)", "command 2 (sh)"]
    assert "command 1 (sh): done" in caplog.text
    assert "command 2 (sh): 1 event not delivered: exit code 9" in caplog.text
    assert "t0ken" not in caplog.text


async def test_when_the_gateway_is_killed_its_commands_end():
    script = """
import asyncio
from gateway.configuration.automation import CommandHookSection
from gateway.integrations.hooks.command import CommandSender
from gateway.integrations.hooks.delivery import Delivery
from tests.hook_events import event

hook = CommandHookSection(command=("/bin/sh", "-c", "echo $$ > /proc/$PPID/fd/1; exec sleep 300"), timeout=600)
asyncio.run(CommandSender(hook).send(Delivery.from_event(event())))
"""
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert gateway.stdout is not None
    command_pid = int(await asyncio.wait_for(gateway.stdout.readline(), DEADLINE_S))
    gateway.kill()
    await gateway.wait()
    await gone(command_pid)


async def test_stopping_does_not_wait_for_a_long_command(monkeypatch):
    monkeypatch.setattr("gateway.integrations.hooks.runner.DRAIN_S", 0.1)
    hooks = HookSet(HooksSection(commands=(shell("sleep 300", timeout=600),)))
    hooks.notify(event())
    running = asyncio.create_task(hooks.run())
    await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(running, return_exceptions=True)
    (counts,) = hooks.counts().values()
    assert (counts.dropped, counts.in_progress) == (1, 0)
