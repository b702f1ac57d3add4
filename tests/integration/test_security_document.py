"""The commands of docs/security.md, executed as they stand there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import subprocess

from tests.commands import run
from tests.documents import ROOT, SERVICES, commands, free_ports, kind_of, running, words_of
from tests.terminal import at_terminal

MOVED_FROM, MOVED_TO = "--gateway 192.168.1.20", "--gateway 127.0.0.1"


async def test_a_device_joins_is_removed_and_joins_again_as_the_document_says(tmp_path, monkeypatch):
    """The gateway and the device share this machine, each with a state folder of its own."""
    ports = free_ports()
    lines = commands(ROOT / "docs" / "security.md")
    assert [kind_of(line) for line in lines] == [
        "gateway", "invite", "join", "edge", "nodes", "revoke", "invite", "rotate", "edge", "close", "user",
        "mosquitto_sub", "mosquitto_pub", "user", "user",
    ]  # fmt: skip
    gateway, invite, join, edge, nodes, revoke, again, rotate, moved, close, *logins = lines

    def at_the_gateway(line):
        done = run(*shlex.split(line)[1:], XDG_STATE_HOME=str(tmp_path / "gateway"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def code_in(said):
        return re.sub(r"@[0-9.]+:", "@127.0.0.1:", re.search(r"dt1\S+", said)[0])

    def join_at_the_device(code):
        with at_terminal(*shlex.split(join)[1:], cwd=tmp_path) as person:
            person.answer("Code that 'deepthings invite' printed", code)
            assert person.end() == 0, person.shown
            assert "edge 'porch'" in person.shown
            assert edge.removeprefix("deepthings") in person.shown

    def as_node(name):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))

    async with contextlib.AsyncExitStack() as stack:
        as_node("gateway")
        await stack.enter_async_context(running(words_of(gateway, ports), SERVICES["gateway"]))
        as_node("porch")
        join_at_the_device(code_in(at_the_gateway(invite)))
        async with running(words_of(edge, ports), SERVICES["edge"]):
            assert re.search(r"porch +edge +\w+ +online", at_the_gateway(nodes))
        assert "no longer a member" in at_the_gateway(revoke)
        assert "porch" not in at_the_gateway(nodes)
        join_at_the_device(code_in(at_the_gateway(again)))
        assert MOVED_FROM in moved
        async with running(words_of(moved.replace(MOVED_FROM, MOVED_TO), ports, joined=True), SERVICES["edge"]):
            assert re.search(r"porch +edge +\w+ +online", at_the_gateway(nodes))
        assert "closed" in at_the_gateway(close)
        await asyncio.to_thread(log_in_and_out, logins, at_the_gateway, tmp_path / "config")
    said = at_the_gateway(f"{rotate} --yes")
    assert "deepthings invite porch" in said


def log_in_and_out(lines, at_the_gateway, folder):
    """Mosquitto's clients read options from files, as the document says."""
    add, subscribe, publish, list_users, remove = lines
    said = at_the_gateway(add)
    password, port = re.search(r"Password: +(\S+)", said)[1], re.search(r"port (\d+)", said)[1]
    folder.mkdir()
    for name in ("mosquitto_sub", "mosquitto_pub"):
        (folder / name).write_text(f"--host 127.0.0.1\n--port {port}\n--username homeassistant\n--pw {password}\n")

    def client(line):
        words, surroundings = shlex.split(line), os.environ | {"XDG_CONFIG_HOME": str(folder)}
        return subprocess.run(words, capture_output=True, text=True, timeout=20, check=False, env=surroundings)

    if shutil.which("mosquitto_sub"):
        assert client(f"{subscribe} -E").returncode == client(publish).returncode == 0  # -E: until it has subscribed
    assert at_the_gateway(list_users) == "homeassistant\n"
    assert "removed" in at_the_gateway(remove)
    if shutil.which("mosquitto_sub"):
        assert "not authori" in client(f"{subscribe} -E").stderr.lower()
