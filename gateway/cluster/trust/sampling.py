"""Computes frames of the cluster again, at random times, and finds the nodes that computed them wrongly."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cluster.trust.reference import compute_apart
from gateway.cluster.trust.sample_schedule import SampleSchedule
from gateway.cluster.trust.verification import judge_maps, judge_objects
from gateway.cluster.whole_frame import WholeFrame
from shared.errors import DeepThingsError, ModelError
from shared.logs.outage import Outage
from shared.mqtt.client_ids import OWN_NODE
from shared.process.malloc import release_freed_memory
from shared.process.usable_memory import free_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.cluster.collector import Assembly
    from gateway.cluster.running_plans import RunningPlan
    from gateway.cluster.trust.verification import VerificationResult
    from shared.model.arrays import FeatureMap, FloatArray, Pixels

log = logging.getLogger(__name__)

CHECK_MEMORY_BYTES = 96 * 2**20
"""Memory of the libraries in the process that computes a frame again."""

MEMORY_PER_BYTE = 4
"""Further memory of that process, for each byte of the programs and of their largest layer."""

SPARE_FACTOR = 1.5
"""A frame is only checked if this many times the needed memory is free: the gateway's own work comes first."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame to check, with a copy of its results: maps at the cut, float32 (1, C, H, W), or a table of objects,
    float32 (N, 6).
    """

    running: RunningPlan
    assembly: Assembly
    maps: tuple[FeatureMap, ...] = ()
    objects: FloatArray | None = None


MAX_UNSEEN_PICTURES = 20
"""An edge that failed to send this many requested pictures in a row is reported. A few failures are normal, because
edges only keep the newest picture of each camera."""

MAX_UNSEEN_EDGES = 1000
"""Edges whose missing pictures are counted: more than a cluster has."""


class ResultSampler:
    """Computes frames again in the background, one at a time, within a `share` (0 to 1) of the gateway's time.

    `find_program(sha256)` returns a program, None if its plan is gone; it may take a moment. `on_result` is called with
    a frame's plan, its assembly, and the result of its check.
    """

    def __init__(
        self,
        share: float,
        find_program: Callable[[str], bytes | None],
        on_result: Callable[[RunningPlan, Assembly, VerificationResult], Awaitable[None]],
    ) -> None:
        self._schedule = SampleSchedule(share, time.monotonic())
        self._find_program = find_program
        self._on_result = on_result
        self._checking: asyncio.Task[None] | None = None
        self._outage = Outage()
        self._unseen: dict[str, int] = {}

    def take(self, running: RunningPlan, assembly: Assembly, *, suspected: bool) -> SampledFrame | None:
        """Return a complete frame with a copy of its results, if it is to be checked now; else None.

        Frames that only the gateway's own node computed are not checked: it runs on the same machine as this check.
        """
        busy = self._checking is not None and not self._checking.done()
        if busy or not self._schedule.is_due(time.monotonic(), suspected=suspected):
            return None
        if set(assembly.workers.values()) <= {OWN_NODE}:
            return None
        if isinstance(assembly.merged, WholeFrame):
            assert assembly.merged.objects is not None, "only complete frames are checked"
            return SampledFrame(running, assembly, objects=assembly.merged.objects.table.copy())
        return SampledFrame(running, assembly, maps=tuple(array.copy() for array in assembly.merged.maps))

    def check_soon(self, sample: SampledFrame, picture: Pixels) -> None:
        """Start to check a frame in the background; `picture` is its picture, uint8 BGR (H, W, 3)."""
        self._checking = asyncio.create_task(self._check(sample, picture))

    def note_picture(self, owner: str, *, shown: bool) -> None:
        """Note whether an edge sent the picture of a frame that was to be checked."""
        if shown:
            self._unseen.pop(owner, None)
        elif owner in self._unseen or len(self._unseen) < MAX_UNSEEN_EDGES:
            self._unseen[owner] = self._unseen.get(owner, 0) + 1
            if self._unseen[owner] == MAX_UNSEEN_PICTURES:
                log.warning("edge %s %s", owner, _unseen_problem(MAX_UNSEEN_PICTURES))

    @property
    def unseen(self) -> dict[str, str]:
        """Return, by edge, the problems of edges whose results cannot be checked."""
        return {
            edge: f"edge {edge} {_unseen_problem(count)}"
            for edge, count in sorted(self._unseen.items())
            if count >= MAX_UNSEEN_PICTURES
        }

    def cancel(self) -> None:
        """End a check that is under way."""
        if self._checking is not None:
            self._checking.cancel()

    async def _check(self, sample: SampledFrame, picture: Pixels) -> None:
        frame, begun = sample.assembly.info.frame, time.monotonic()
        try:
            result = await self._compare(sample, picture)
            if result is not None:
                log.debug("%s was computed again: largest difference %.3g", frame, result.difference.max_abs_diff)
                await self._on_result(sample.running, sample.assembly, result)
        except DeepThingsError as error:
            self._report_failure(str(error))
        except Exception:  # a check must not end the gateway
            log.exception("%s could not be computed again", frame)
        finally:
            self._schedule.on_checked(begun, time.monotonic())
            release_freed_memory()

    async def _compare(self, sample: SampledFrame, picture: Pixels) -> VerificationResult | None:
        """Return the result of a check; None if the frame's plan is gone. Raises ModelError."""
        plan, verifier = sample.running.plan, sample.running.verifier
        free, needed = free_memory(), SPARE_FACTOR * _needed_bytes(sample.running)
        if free is not None and free < needed:
            raise ModelError(f"that takes {needed / 1e6:.0f} MB of free memory on the gateway's machine")
        programs = []
        for stage in plan.stages:
            program = await asyncio.to_thread(self._find_program, stage.program.sha256)
            if program is None:
                return None  # the plan was replaced meanwhile
            programs.append(program)
        expected = await compute_apart(plan, programs, picture)
        self._outage.note_success()
        if sample.objects is not None:
            assert expected.objects is not None, "a plan of whole frames has objects"
            height, width, _ = picture.shape
            return judge_objects(
                sample.objects, expected.objects, (height, width), verifier.floor, rounds=verifier.rounds
            )
        tiles = sample.running.partitioned.stage.tiles
        return await asyncio.to_thread(judge_maps, sample.maps, list(expected.maps), tiles, rounds=verifier.rounds)

    def _report_failure(self, reason: str) -> None:
        """Log why frames are not checked, each reason once."""
        log.log(self._outage.level(reason), "results of edges are not checked by samples: %s", reason)


def _unseen_problem(count: int) -> str:
    return (
        f"did not show the pictures of {count} frames in a row, so that their results cannot be checked; look into its "
        "log, and check that the gateway reaches it; if both are in order, somebody may have changed its program"
    )


def _needed_bytes(running: RunningPlan) -> int:
    """Return the memory that computing a frame by this plan takes, roughly."""
    stages = running.plan.stages
    sizes = sum(stage.program.bytes for stage in stages) + max(stage.working_bytes for stage in stages)
    return CHECK_MEMORY_BYTES + MEMORY_PER_BYTE * sizes
