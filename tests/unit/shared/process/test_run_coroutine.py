from __future__ import annotations

import asyncio
import os
import signal

import pytest

from shared.files.held_signals import ENDING_SIGNALS
from shared.process.early_signals import exit_cleanly_on_signal
from shared.process.signals import run_coroutine


@pytest.fixture
def ending(monkeypatch):
    """This process ends cleanly at SIGTERM, and gets one while its event loop is being made."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    exit_cleanly_on_signal()
    make_loop = asyncio.new_event_loop

    def interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
        return make_loop()

    monkeypatch.setattr("asyncio.events.new_event_loop", interrupted)
    yield
    signal.signal(signal.SIGTERM, before)


async def forty_two():
    return 42


def test_the_result_is_that_of_the_coroutine():
    before = [signal.getsignal(number) for number in ENDING_SIGNALS]
    assert run_coroutine(forty_two) == 42
    assert [signal.getsignal(number) for number in ENDING_SIGNALS] == before


@pytest.mark.usefixtures("ending")
def test_a_signal_that_comes_while_the_loop_is_made_ends_the_process_once_it_is_there():
    begun = []

    async def work():
        begun.append(True)

    with pytest.raises(SystemExit) as ended:
        run_coroutine(work)
    assert ended.value.code == 128 + signal.SIGTERM
    assert begun == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # a second signal ends the process at once


def test_a_signal_that_comes_while_it_runs_cancels_the_coroutine_and_ends_the_process():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    exit_cleanly_on_signal()
    steps = []

    async def work():
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(60)
        finally:
            steps.append("cleaned up")

    try:
        with pytest.raises(SystemExit) as ended:
            run_coroutine(work)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ended.value.code, steps) == (128 + signal.SIGTERM, ["cleaned up"])


def test_a_signal_that_comes_when_the_loop_is_closed_ends_the_process_all_the_same():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    exit_cleanly_on_signal()

    async def work():
        loop = asyncio.get_running_loop()
        close = loop.close

        def close_then_signal():
            close()
            os.kill(os.getpid(), signal.SIGTERM)

        loop.close = close_then_signal

    try:
        with pytest.raises(SystemExit) as ended:
            run_coroutine(work)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
