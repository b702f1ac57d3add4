"""Keeps the plans that edges follow, each with the frames that are computed by it, and offers them to edges."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from gateway.cluster.collector import Collector
from gateway.cluster.frame_rates import relative_work
from gateway.cluster.trust.verification import Verifier
from gateway.planning.planner import write_plan
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.network.addresses import advertised_address
from shared.payloads.bridge import PlanInfo
from shared.plan.plan import PlanOffer, PlanPreference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.broker.planes import Planes
    from gateway.cluster.collector import Assembly
    from gateway.cluster.data_plane import DataPlane
    from gateway.membership.members import Membership
    from gateway.options import GatewayOptions
    from gateway.planning.partitioned import PartitionedModel
    from shared.detection.detector import Detector
    from shared.engine.program_parts import BuiltProgram
    from shared.payloads.frames import Outcome
    from shared.plan.plan import Plan


MAX_DURATIONS, MIN_DURATIONS = 32, 8
"""The number of latest frames whose duration is kept for each plan, and the number that is enough for a median."""


@dataclass(slots=True)
class RunningPlan:
    """A plan, and the frames that are computed by it.

    `detector` runs the tail and decodes; None in plans of whole frames, whose workers do that, or before it is opened.
    `withdrawn_at`: the time (monotonic seconds) since which no edge should begin frames by this plan; None: offered.
    `held_back`: edges need not prepare it yet. `first`: it comes before the others in an offer. `nodes`: the nodes that
    its tiles were made for, in order; empty if they fit any nodes. `durations`: seconds of the latest frames, from
    their first task to their objects.
    """

    plan: Plan
    partitioned: PartitionedModel
    collector: Collector
    verifier: Verifier
    detector: Detector | None = None
    withdrawn_at: float | None = None
    held_back: bool = False
    first: bool = False
    nodes: tuple[str, ...] = ()
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DURATIONS))

    @property
    def measured_s(self) -> float | None:
        """Return the median duration of the latest frames, in seconds; None before MIN_DURATIONS frames."""
        return median(self.durations) if len(self.durations) >= MIN_DURATIONS else None

    def open_detector(self, threads: int) -> None:
        """Open the detector, unless workers compute whole frames; this takes a moment, and memory for the weights."""
        if self.plan.detector is None and self.detector is None:
            self.detector = self.partitioned.detector(threads)
            self.partitioned.model.forget_weights()

    @property
    def is_ready(self) -> bool:
        """Return whether frames can be computed by this plan now."""
        return not self.held_back and (self.plan.detector is not None or self.detector is not None)

    @property
    def epoch(self) -> int:
        """Return the number of the plan."""
        return self.plan.epoch

    @property
    def info(self) -> PlanInfo:
        """Return the public description of the plan."""
        partitioned, stage = self.partitioned, self.partitioned.stage
        return PlanInfo(
            epoch=self.epoch, method=self.plan.method, grid=str(stage.grid), cut=stage.cut, tiles=self.plan.tile_count,
            work=relative_work(partitioned.stages, partitioned.model.network),
        )  # fmt: skip


class RunningPlans:
    """Offers plans to the edges, and keeps withdrawn ones until their last frame has ended."""

    def __init__(self, options: GatewayOptions, data: DataPlane, bus: Planes, members: Membership) -> None:
        self._options = options
        self._data = data
        self._bus = bus
        self._members = members
        self._running: dict[int, RunningPlan] = {}
        self._preferred = 0

    def __iter__(self) -> Iterator[RunningPlan]:
        return iter(list(self._running.values()))

    def get(self, epoch: int) -> RunningPlan | None:
        """Return the plan with this epoch, also a withdrawn one; None when it is unknown."""
        return self._running.get(epoch)

    @property
    def preferred(self) -> RunningPlan:
        """Return the plan that new frames should follow."""
        return self._running[self._preferred]

    @property
    def offered(self) -> list[RunningPlan]:
        """Return the plans that edges should be ready for, `first` ones before the others, each oldest first.

        Edges of the release before only read the first plan of an offer.
        """
        offered = [running for running in self._running.values() if running.withdrawn_at is None and running.is_ready]
        return sorted(offered, key=lambda running: not running.first)

    def offer(self, partitions: Sequence[PartitionedModel], nodes: Sequence[str] = ()) -> list[RunningPlan]:
        """Offer these plans instead of all others, and prefer the first; return them. `nodes` as in RunningPlan.

        Raises ConfigurationError when edges would refuse one.
        """
        before = [running for running in self._running.values() if running.withdrawn_at is None]
        added = self._add([(partitioned, partitioned.build_programs()) for partitioned in partitions], nodes)
        self._withdraw(before)
        self._preferred = added[0].epoch
        return added

    def replace(
        self,
        running: RunningPlan,
        partitioned: PartitionedModel,
        programs: Sequence[BuiltProgram],
        nodes: Sequence[str] = (),
    ) -> RunningPlan:
        """Offer a plan instead of this one, and prefer the oldest of the others; return the new one.

        `programs` are those that `partitioned` builds, which takes a while. Raises ConfigurationError when edges would
        refuse it.
        """
        (added,) = self._add([(partitioned, programs)], nodes)
        self._withdraw([running])
        if self._preferred == running.epoch:
            self._preferred = min(plan.epoch for plan in self._running.values() if plan.withdrawn_at is None)
        return added

    def _add(
        self, partitions: Sequence[tuple[PartitionedModel, Sequence[BuiltProgram]]], nodes: Sequence[str]
    ) -> list[RunningPlan]:
        options = self._options
        epoch = max(time.time_ns() // 1_000_000, max(self._running, default=0) + 1)
        added = []
        for number, (partitioned, programs) in enumerate(partitions):
            plan = write_plan(
                partitioned.method,
                partitioned.model.network,
                partitioned.spec.preprocessing,
                partitioned.stages,
                self._data.offer_programs(programs),
                epoch=epoch + number,
                gateway=advertised_address(self._data.address, self._members.broker),
                terms=options.terms,
                detector=partitioned.detector_plan,
            )
            collector = Collector(
                partitioned.stage, partitioned.map_shapes, options.frames_at_once, options.terms.deadline_s,
                whole=plan.detector is not None,
            )  # fmt: skip
            verifier = Verifier(
                partitioned, options.verify_every, options.threads, exact=options.terms.maps == "float32"
            )
            added.append(RunningPlan(plan, partitioned, collector, verifier, nodes=tuple(nodes)))
        self._running.update((running.epoch, running) for running in added)
        return added

    @staticmethod
    def _withdraw(plans: Sequence[RunningPlan]) -> None:
        now = time.monotonic()
        for running in plans:
            running.withdrawn_at = now

    def prefer(self, epoch: int) -> bool:
        """Let new frames follow this plan; return whether they followed another one before."""
        changed = epoch != self._preferred
        self._preferred = epoch
        return changed

    async def publish(self) -> None:
        """Publish the offered plans, and the one that is preferred. Raises BrokerError."""
        await self._bus.publish(topics.PREFERRED_PLAN, PlanPreference(epoch=self._preferred))
        first, *others = self.offered
        also = tuple(running.plan for running in others)
        await self._bus.publish(topics.PLAN, PlanOffer(**dict(first.plan), also=also))

    async def republish(self) -> None:
        """Publish the plans after a change; if the broker is not connected, they are published at the next connect."""
        with contextlib.suppress(BrokerError):
            await self.publish()

    def retire(self, now: float) -> list[int]:
        """Forget the withdrawn plans whose frames have all ended; return their epochs."""
        longest_s = 2 * self._options.terms.deadline_s
        retired = [
            running.epoch
            for running in self._running.values()
            if running.withdrawn_at is not None
            and now > running.withdrawn_at + longest_s
            and not running.collector.assemblies()
        ]
        for epoch in retired:
            del self._running[epoch]
        if retired:
            self._data.keep_programs(
                stage.program.sha256 for running in self._running.values() for stage in running.plan.stages
            )
        return retired

    # frames

    def find_frame(self, frame: str) -> tuple[RunningPlan, Assembly] | None:
        """Return the plan and the assembly of a frame under way; None for other frames."""
        for running in self._running.values():
            assembly = running.collector.find_assembly(frame)
            if assembly is not None:
                return running, assembly
        return None

    def assemblies(self) -> list[tuple[RunningPlan, Assembly]]:
        """Return the plans and the assemblies of all frames under way."""
        return [(running, assembly) for running in self for assembly in running.collector.assemblies()]

    def is_finished(self, frame: str) -> bool:
        """Return whether a frame was published or dropped recently."""
        return any(running.collector.is_finished(frame) for running in self._running.values())

    def close_frame(self, frame: str) -> None:
        """Finish a frame: late results must not open it again."""
        for running in self._running.values():
            running.collector.close_frame(frame)

    def overdue(self, now: float) -> list[tuple[Assembly, Outcome]]:
        """Return the incomplete frames whose deadline has passed; the caller closes them."""
        return [frame for running in self._running.values() for frame in running.collector.overdue(now)]

    def orphaned(self, owner: str) -> list[tuple[Assembly, Outcome]]:
        """Return the incomplete frames of a lost owner; the caller closes them."""
        return [frame for running in self._running.values() for frame in running.collector.orphaned(owner)]
