"""For all tests."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from shared.cli import main
from tests.extent import LEFT_OUT, Extent
from tests.turns import turn


def pytest_addoption(parser):
    group = parser.getgroup("how much is tested")
    for extent, what in {
        Extent.ALL: "also run the tests that are marked slow, and try more examples: what a change must pass",
        Extent.LONG: "run every test, also those that are marked long, and try many examples",
    }.items():
        group.addoption(f"--{extent}", action="store_const", const=extent, dest="extent", default="default", help=what)


def pytest_configure(config):
    settings.load_profile(config.getoption("extent"))
    _keep_bytecode()
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.scheduling import step_back  # noqa: PLC0415  (only where several processes run tests)

        step_back()


def _keep_bytecode():
    """Let processes of tests, of which there are thousands, find modules compiled, though somebody wants none kept."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep the garbage collector off meanwhile, and let it begin with what tests make.

    Every process collects all tests, and looking at so many objects again and again took a third of its time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_report_header(config):
    return f"extent of the tests: {config.getoption('extent')} (--all and --long run more of them)"


def pytest_collection_modifyitems(config, items):
    """Leave out what this run has no time for, unless it is asked for by name or by mark."""
    if config.getoption("markexpr") or any("::" in named for named in config.args):
        return
    marks = LEFT_OUT[Extent(config.getoption("extent"))]
    left_out = {item: any(map(item.get_closest_marker, marks)) for item in items}
    items[:] = [item for item in items if not left_out[item]]
    config.hook.pytest_deselected(items=[item for item, out in left_out.items() if out])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from tests.scheduling import Scheduling  # noqa: PLC0415  (only where several processes run tests)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Keep all others waiting while a test runs that measures."""
    with turn(_shared_by_workers(item.config._tmp_path_factory), alone=item.get_closest_marker("alone") is not None):
        return (yield)


def _shared_by_workers(tmp_path_factory):
    """Return the temporary folder of the whole run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _state_and_cache(tmp_path_factory):
    """Gateways of tests keep their state, and edges their programs, where no others do.

    All edges of a run share what is prepared of their programs, which takes longer than most tests.
    """
    cache = _shared_by_workers(tmp_path_factory) / "cache"
    cache.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        if "MPLCONFIGDIR" not in os.environ:  # or matplotlib would look for all fonts of the machine in each run
            patch.setenv("MPLCONFIGDIR", str(Path("~/.cache/matplotlib").expanduser()))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CACHE_HOME", str(cache))
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
