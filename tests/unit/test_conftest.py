"""The fence around unit tests holds."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_unit_test_that_opens_a_socket_fails(family):
    with pytest.raises(pytest.fail.Exception, match="opened a socket"):
        socket.socket(family, socket.SOCK_STREAM)


def test_a_unit_test_that_connects_fails():
    with pytest.raises(pytest.fail.Exception, match="opened a socket"):
        socket.create_connection(("127.0.0.1", 1))


async def test_the_event_loop_works_behind_the_fence():
    assert await asyncio.to_thread(lambda: 7) == 7


def test_no_process_of_tests_compiles_what_another_has_compiled(monkeypatch, pytestconfig):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (ours,) = [plugin for plugin in pytestconfig.pluginmanager.get_plugins() if hasattr(plugin, "_keep_bytecode")]
    ours._keep_bytecode()
    shown = [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"]
    assert subprocess.run(shown, check=True, capture_output=True, text=True).stdout == "False\n"
    assert not sys.dont_write_bytecode
