"""Work stealing: matches idle nodes with waiting tasks, grants these, and tells owners which nodes are idle."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gateway.cluster.coordinator import Coordinator, Match
from gateway.cluster.fair_shares import FairShares
from gateway.cluster.idle_nodes import IdleNodes
from gateway.cluster.victims import VICTIM_POLICIES
from shared.mqtt import topics
from shared.payloads.cluster import Grant, Helpers
from shared.wire.link_speed import predict_transfer_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.broker.planes import Planes
    from gateway.cluster.collector import Assembly
    from gateway.cluster.link_rates import LinkRates
    from gateway.cluster.running_plans import RunningPlans
    from gateway.cluster.speeds import NodeSpeeds
    from gateway.membership.members import Membership
    from shared.payloads.cluster import StealRequest, TaskAnnouncement


class StealingService:
    """Answers announcements and requests with grants."""

    def __init__(
        self,
        policy: str,
        plans: RunningPlans,
        bus: Planes,
        members: Membership,
        speeds: NodeSpeeds,
        links: LinkRates,
        may_compute: Callable[[str], bool],
        on_granted: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """`on_granted` is called with a thief and the owner whose task it may take."""
        self._on_granted = on_granted
        self._plans = plans
        self._bus = bus
        self._members = members
        self._speeds = speeds
        self._links = links
        self._may_compute = may_compute
        self._shares = FairShares()
        self._coordinator = Coordinator(VICTIM_POLICIES[policy], self._seconds_of, self._frames_of)
        self._idle = IdleNodes()
        self._published = Helpers()

    def on_announcement(self, announcement: TaskAnnouncement) -> None:
        """Grant the tasks that an owner announces to nodes that wait for some; not to those drained meanwhile."""
        for node in self._members.all_drained:
            self._coordinator.withdraw_request(node)
        matches = self._coordinator.on_announcement(
            announcement.node, announcement.waiting, announcement.overdue, announcement.near, announcement.unfit,
            epoch=announcement.epoch, within_s=math.inf if announcement.within_s is None else announcement.within_s,
        )  # fmt: skip
        self._publish_grants(matches)

    def on_request(self, request: StealRequest) -> None:
        """Grant a task to a node that requests one, now or when there is one."""
        epochs = tuple(epoch for epoch in (request.epoch, *request.also) if self._plans.get(epoch) is not None)
        known = epochs and self._members.online(request.node) is not None
        if request.missed is not None and known:
            self._shares.return_grant(request.missed, self._part_of(epochs[0]), time.monotonic())
        if known and not self._members.is_drained(request.node) and self._may_compute(request.node):
            self._publish_grants(
                self._coordinator.on_request(request.node, request.missed, idle=request.idle, epochs=epochs)
            )
            self.publish_helpers()

    def on_published(self, frame: Assembly) -> None:
        """Count a published frame for its owner."""
        tiles = sum(own + stolen for own, stolen in frame.tiles.values())
        own_part = frame.tiles[frame.owner][0] / tiles if frame.owner in frame.tiles else 0.0
        self._shares.add_frame(frame.owner, frame.info.camera, own_part, time.monotonic())

    def forget_node(self, node: str) -> None:
        """Forget the tasks and the request of a lost node, what its cameras got, and what its links carried."""
        self._coordinator.forget_node(node)
        self._shares.forget_owner(node)
        self._links.forget_node(node)
        self._idle.forget_node(node)
        self.publish_helpers()

    def withdraw_request(self, node: str) -> None:
        """Forget the request of a node that may not compute any more."""
        self._coordinator.withdraw_request(node)
        self._idle.forget_node(node)
        self.publish_helpers()

    def forget_plan(self, epoch: int) -> None:
        """Forget the tasks of a plan that is not followed any more."""
        self._coordinator.forget_plan(epoch)

    def publish_helpers(self) -> None:
        """Publish the nodes that have been idle recently, if that has changed: called after requests, periodically."""
        epoch = self._plans.preferred.epoch
        idle = self._idle.update(self._coordinator.idle_nodes(epoch), time.monotonic())
        helpers = Helpers(
            seconds={node: round(self._seconds_of(node, epoch, None), 4) for node in idle},
            lanes={node: lanes for node in idle if (lanes := self._members.lanes(node)) > 1},
        )
        if helpers_differ(helpers, self._published):
            self._published = helpers
            self._bus.publish_soon(topics.HELPERS, helpers)

    async def republish_helpers(self) -> None:
        """Publish them again after a connect: the broker may have lost them. Raises BrokerError."""
        await self._bus.publish(topics.HELPERS, self._published)

    def _publish_grants(self, matches: list[Match]) -> None:
        for match in matches:
            victim = self._members.online(match.victim)
            if victim is not None:
                self._shares.add_grant(match.victim, self._part_of(match.epoch), time.monotonic())
                grant = Grant(epoch=match.epoch, victim=match.victim, host=victim.host, port=victim.port)
                self._on_granted(match.thief, match.victim)
                self._bus.publish_soon(topics.GRANTS, grant, match.thief)

    def _part_of(self, epoch: int) -> float:
        """Return the part of a frame that a task of a plan is."""
        running = self._plans.get(epoch)
        return 0.0 if running is None else 1 / running.plan.tile_count

    def _frames_of(self, owner: str) -> float:
        return self._shares.frames_of(owner, time.monotonic())

    def _seconds_of(self, node: str, epoch: int, owner: str | None) -> float:
        """Return what a node needs for a whole frame of a plan, for one of an owner with its transfer.

        0 if that is not known, or if the plan's frames have tiles.
        """
        running, speed = self._plans.get(epoch), self._speeds.speed_of(node)
        if running is None or running.plan.detector is None or speed is None:
            return 0.0
        seconds = running.plan.stages[0].tiles[0].macs / speed
        if owner is None:
            return seconds
        bytes_per_s = self._links.rate_between(owner, node, time.monotonic())
        return seconds + predict_transfer_s(running.plan.pixel_bytes, bytes_per_s)


MIN_SECONDS_CHANGE = 0.25
"""Relative change of a node's speed that is published."""


def helpers_differ(after: Helpers, before: Helpers) -> bool:
    """Return whether other nodes are idle than before, or one has other lanes or a clearly other speed. Pure."""
    if after.seconds.keys() != before.seconds.keys() or after.lanes != before.lanes:
        return True
    return any(
        abs(seconds - before.seconds[node]) > MIN_SECONDS_CHANGE * before.seconds[node]
        for node, seconds in after.seconds.items()
    )
