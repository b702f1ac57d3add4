"""The documentation: its commands, as they are typed, and its tables."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import signal
from pathlib import Path

from tests.commands import DEEPTHINGS
from tests.ports import free_port

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "mosquitto" / "README.md"]
SERVICES = {"gateway": "connected to broker", "edge": "by whole, whole frames", "camera": "feeds edge"}
"""Subcommands that run until they are stopped, and what they say when they work."""
LOCAL = {
    "detect": r"person|\d\.\d\d at \(",
    "verify": "largest difference 0 ",
    "plan": "MiB",
    "quantize": "int8",
    "check-config": "street",
    "camera shot": "a grid of tenths",
}
"""Subcommands that end by themselves, and what they print."""


def commands(document, language="sh"):
    """The lines of a document's blocks, without comments; scripts/deepthings is deepthings, once it is set up."""
    blocks = re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    return [line.removeprefix("scripts/") if line.startswith("scripts/deepthings ") else line for line in lines]


ALL = [line for document in DOCUMENTS for line in commands(document)]


def free_ports():
    """What stands for the ports of the documents, and of the gateway, which may be in use here."""
    return {port: str(free_port()) for port in ("1883", "7701", "7883", "7884", "7885", "7886", "8883")}


def words_of(line, ports, *, joined=False):
    """The words of a command, with these ports in place of its own; that of the gateway is of devices with keys."""
    line = re.sub(r"--gateway 127\.0\.0\.1(?!:)", f"--gateway 127.0.0.1:{7886 if joined else 7883}", line)
    if line.startswith("deepthings gateway"):
        line += " --cluster-port 7883 --data-port 7884 --join-port 7885 --cluster-tls-port 7886 --tls-port 8883"
        line += " --page-port 0" + ("" if "--broker" in line else " --port 1883")
    for port, free in ports.items():
        line = re.sub(rf"\b{port}\b", free, line)
    words = shlex.split(line)
    return [DEEPTHINGS, *words[1:]] if words[0] == "deepthings" else words


@contextlib.asynccontextmanager
async def running(words, expected, folder=ROOT):
    """A service from when it says what is expected until the end of the context, when it must stop cleanly."""
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    said = ""
    try:
        async with asyncio.timeout(30):
            while expected not in said:
                line = (await process.stderr.readline()).decode()
                assert line, f"{words} ended: {said}"
                said += line
        draining = asyncio.create_task(process.stderr.read())
        yield
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0, said + (await draining).decode()
            await draining
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def kind_of(line):
    """What runs a command here: its subcommand or its script; None for one that nothing runs."""
    first, second, third = (*line.removeprefix("sudo ").split(), "", "")[:3]
    if first in {"systemctl", "journalctl"}:
        return "systemd"
    if first == "deepthings" and f"{second} {third}" in LOCAL:
        return f"{second} {third}"
    others = {
        "init", "watch", "status", "doctor", "trace", "service", "update", "backup", "restore", "invite", "join",
        "nodes", "revoke", "rotate", "close", "user",
    }  # fmt: skip
    if first == "deepthings" and second in {*SERVICES, *LOCAL, *others}:
        return second
    if second == "benchmarks/engine.py":
        return "benchmark"
    if (first, second, third) == ("deepthings", "bench", "scale"):
        return "bench scale"
    known = {
        "scripts/build",
        "scripts/deepthings",
        "scripts/demo",
        "scripts/test",
        "scripts/bench",
        "mosquitto_sub",
        "mosquitto_pub",
        "mosquitto_rr",
    }
    return first if first in known else None


def tables(document, columns):
    """The cells of all rows of tables with so many columns, without their heads."""
    rows = [line.strip("|").split(" | ") for line in document.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows if len(row) == columns]
