"""Runs bare loops on several nodes at the same time, each within its node's limits."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.scale.bare_figures import BareFigures, BareOrder
from benchmarks.witnessing import UnfinishedError
from shared.process.children import parent_death_prefix, stop_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from benchmarks.cluster.nodes import BenchNodes

START_TIMEOUT_S = 120.0
"""Time for a bare loop to load its network."""

ANSWER_GRACE_S = 120.0
"""Time for an answer after the time of the order: a frame of the largest network may take this long."""


class BareDevices:
    """The bare loops of some nodes. Between two orders they wait, which takes no CPU time."""

    def __init__(self, processes: dict[str, asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def measure(self, order: BareOrder, names: Sequence[str] = ()) -> dict[str, BareFigures]:
        """Give an order to these devices at the same time, and return their figures. Raises UnfinishedError.

        Without `names`, all devices get the order.
        """
        chosen = names or tuple(self._processes)
        line = json.dumps(asdict(order)).encode() + b"\n"
        for name in chosen:
            stdin = self._processes[name].stdin
            assert stdin is not None
            stdin.write(line)
            await stdin.drain()
        answers = await asyncio.gather(*(self._answer(name, order.seconds + ANSWER_GRACE_S) for name in chosen))
        return {name: BareFigures(**json.loads(answer)) for name, answer in zip(chosen, answers, strict=True)}

    async def wait_ready(self) -> None:
        """Wait until all bare loops have loaded their network. Raises UnfinishedError."""
        await asyncio.gather(*(self._answer(name, START_TIMEOUT_S) for name in self._processes))

    async def _answer(self, name: str, timeout_s: float) -> bytes:
        stdout = self._processes[name].stdout
        assert stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await stdout.readline()
        except TimeoutError:
            raise UnfinishedError(f"the bare loop of {name} did not answer within {timeout_s:.0f} s") from None
        if not line:
            raise UnfinishedError(f"the bare loop of {name} ended; see its log beside those of the cluster")
        return line


@asynccontextmanager
async def open_bare(
    nodes: BenchNodes, names: Sequence[str], description: Path, folder: Path, threads: int = 1
) -> AsyncIterator[BareDevices]:
    """Start a bare loop on each node; they run as long as the context lasts.

    CPU limits are lifted during the start, and set when the context begins. `description`: the file that bare_export
    writes; `folder`: for the logs, it must exist; `threads`: of each loop.
    """
    processes: dict[str, asyncio.subprocess.Process] = {}
    nodes.lift_cpu_limits()
    try:
        for name in names:
            with (folder / f"bare-{name}.log").open("wb") as log:
                processes[name] = await asyncio.create_subprocess_exec(
                    *nodes.command(name), *parent_death_prefix(), sys.executable, "-P", "-m",
                    "benchmarks.scale.bare_loop", str(description), str(threads),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                )  # fmt: skip
        devices = BareDevices(processes)
        await devices.wait_ready()
        nodes.set_cpu_limits()
        yield devices
    finally:
        await asyncio.gather(*(stop_process(process, 5.0) for process in processes.values()))
