"""A gateway's plans among four even devices, on a clock of ours."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

from gateway.cluster.link_rates import LinkRates
from gateway.cluster.plan_changes import PlanChanges
from gateway.cluster.plan_choice import MIN_DWELL_S
from gateway.cluster.running_plans import RunningPlans
from gateway.options import GatewayOptions
from gateway.planning.methods import Method
from shared.mqtt import topics
from shared.network.addresses import Address
from tests.settling import settled, until
from tests.unit.gateway.cluster.offered_plans import NETWORK, Bus, Clock, Data, partition_of

FRAME_S = 2.0
"""A whole frame on one device; in tiles it takes about a quarter of it on four."""

PERIOD_S = 0.25


class Bench:
    """The plans of a gateway with four even devices, on a clock of ours.

    `served` are the plans whose tiles are shared out, `forgotten` those that stealing and sharing know no more, `told`
    what the home was told, `seconds` what each device needs for a whole frame; `changed_at` are the times at which
    another plan was preferred.
    """

    def __init__(self, monkeypatch, method=Method.AUTO):
        self.clock, self.bus, self.data = Clock(), Bus(), Data()
        for module in ("plan_changes", "automatic_plans", "running_plans", "device_watch"):
            monkeypatch.setattr(f"gateway.cluster.{module}.time", self.clock)
        monkeypatch.setattr("gateway.cluster.device_watch.NODES_SETTLE_S", 0.001)
        monkeypatch.setattr("gateway.cluster.plan_changes.search_plans", self.search)
        self.broker, self.has_older_nodes, self.frames_under_way = Address("10.0.0.1", 7883), False, 1.0
        self.present, self.seconds = tuple(f"pi-{number}" for number in range(4)), None
        self.network, self.with_cameras, self.best, self.searched = NETWORK, ("pi-0",), None, []
        self.search_s = 0.0
        self.served, self.forgotten, self.told, self.changed_at, self.weights_forgotten = [], [], [], [], 0
        options = GatewayOptions(method=method, threads=3)
        self.plans = RunningPlans(options, self.data, self.bus, self)
        self.partitions = [partition_of(b"w", whole=True), partition_of(b"t")]
        if method is not Method.AUTO:
            self.partitions = [partition_of(b"b", method=method)]
        services = (
            SimpleNamespace(add_plan=self.serve, forget_plan=lambda epoch: self.forgotten.append(("sharing", epoch))),
            SimpleNamespace(forget_plan=lambda epoch: self.forgotten.append(("stealing", epoch))),
        )
        self.links, self.memory, self.kernel_costs = LinkRates(), {}, {}
        self.changes = PlanChanges(
            options, self, self.partitions, self.plans, services, self, self, self.links, self, lambda _: True
        )  # fmt: skip

    # the model, the devices and their speeds

    def forget_weights(self):
        self.weights_forgotten += 1

    def kernels(self, node):
        return self.kernel_costs.get(node, {})

    def memory_bytes(self, node):
        return self.memory.get(node, 0)

    def lanes(self, _node):
        return 1

    def search(self, _network, cluster, **_given):
        self.searched.append(tuple(device.name for device in cluster.devices))
        self.clock.now += self.search_s
        return SimpleNamespace(best_divided=self.best)

    def ready_nodes(self, epoch):
        running = self.plans.get(epoch)
        return self.present if running is not None and running.is_ready else ()

    def speed_of(self, _node):
        macs = next(iter(self.plans)).plan.stages[0].tiles[0].macs
        return None if self.seconds is None else macs / self.seconds

    def work_shares(self, nodes):
        return (1 / len(nodes),) * len(nodes)

    # what hears of plans

    def serve(self, plan, nodes):
        self.served.append((plan.epoch, tuple(nodes)))

    async def on_plan_changed(self):
        self.told.append(self.plans.preferred.epoch)

    def on_cluster_event(self, kind, name):
        self.told.append((kind, int(name)))

    @property
    def whole(self):
        return next(running for running in self.plans if running.plan.detector is not None)

    @property
    def tiles(self):
        return next(running for running in self.plans if running.plan.detector is None)

    @property
    def preferred_by_edges(self):
        return next((said.epoch for topic, said in reversed(self.bus.said) if topic is topics.PREFERRED_PLAN), None)

    def published(self):
        """The preferred plan and the offered ones, as edges read them last; each publication only once."""
        said = dict(self.bus.said)
        self.bus.said.clear()
        offer = said[topics.PLAN]
        return said[topics.PREFERRED_PLAN].epoch, [offer.epoch, *(plan.epoch for plan in offer.also)]

    async def pass_time(self, seconds, frames=1.0):
        """Check periodically for so long, with so many frames under way."""
        self.frames_under_way = frames
        for _ in range(round(seconds / PERIOD_S)):
            self.clock.now += PERIOD_S
            before = self.plans.preferred
            self.changes.check()
            if self.plans.preferred is not before:
                self.changed_at.append(self.clock.now)
            await settled()

    async def divide(self):
        """Let the devices have measured their speed, and wait until new frames are divided."""
        self.seconds = FRAME_S
        self.changes.check()
        await until("the offer of tiles", lambda: self.told)
        await self.pass_time(MIN_DWELL_S)
        await until("the preference of tiles", lambda: self.told[-1] == self.tiles.epoch == self.preferred_by_edges)


@contextlib.asynccontextmanager
async def changing(bench):
    """Let a bench's plans follow its devices and its load."""
    running = asyncio.create_task(bench.changes.run())
    yield bench
    assert not running.done(), "a gateway whose parts end, ends"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
