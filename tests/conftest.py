"""For all tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.cli import main


@pytest.fixture(scope="session", autouse=True)
def _state_and_cache(tmp_path_factory):
    """Gateways of tests keep their state, and edges their programs, where no others do.

    All edges of a run share what is prepared of their programs, which takes longer than most tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "MPLCONFIGDIR" not in os.environ:  # or matplotlib would look for all fonts of the machine in each run
            patch.setenv("MPLCONFIGDIR", str(Path("~/.cache/matplotlib").expanduser()))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals():
    """Processes of tests hear signals although whoever runs the tests (nohup, a shell's background) ignores them.

    What is ignored stays so in all that a process starts; what it has a handler for, even an idle one, does not.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture
def deepthings(monkeypatch, capfd, tmp_path):
    """Runs the console script in this process and the test's folder; returns its exit code and what it printed.

    For commands that end by themselves and start nothing: a process of its own takes a second of processor to begin.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["deepthings", *arguments])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code, said.out, said.err)

    return run
