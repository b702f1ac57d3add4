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
        """`policy` is a key of VICTIM_POLICIES; `may_compute(node)` returns whether a node may get work.

        `on_granted(thief, owner)` is called for each grant.
        """
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
        """Grant the tasks that an owner announces to nodes with a parked request; withdraw those of drained nodes."""
        for node in self._members.all_drained:
            self._coordinator.withdraw_request(node)
        matches = self._coordinator.on_announcement(
            announcement.node, announcement.waiting, announcement.overdue, announcement.near, announcement.unfit,
            epoch=announcement.epoch, within_s=math.inf if announcement.within_s is None else announcement.within_s,
        )  # fmt: skip
        self._publish_grants(matches)

    def on_request(self, request: StealRequest) -> None:
        """Grant a task to a node that requests one, now or as soon as there is one."""
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
        """Count a published frame in the fair share of its owner."""
        tiles = sum(own + stolen for own, stolen in frame.tiles.values())
        own_part = frame.tiles[frame.owner][0] / tiles if frame.owner in frame.tiles else 0.0
        self._shares.add_frame(frame.owner, frame.info.camera, own_part, time.monotonic())

    def forget_node(self, node: str) -> None:
        """Forget the tasks, the request, the fair share and the link rates of a lost node."""
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
        """Publish the list of helpers, if it has changed. Called after requests, and periodically."""
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
        """Publish the list of helpers after a connect, as the broker may have lost it. Raises BrokerError."""
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
        """Return which part of a frame one task of a plan is, 0 to 1; 0 for an unknown plan."""
        running = self._plans.get(epoch)
        return 0.0 if running is None else 1 / running.plan.tile_count

    def _frames_of(self, owner: str) -> float:
        return self._shares.frames_of(owner, time.monotonic())

    def _seconds_of(self, node: str, epoch: int, owner: str | None) -> float:
        """Return the seconds that a node needs for a whole frame of a plan; with an owner, including the transfer.

        0 if the node's speed is unknown, or if the plan is one of tiles.
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
"""Helpers are published again when the seconds that one needs for a frame change by more than this part."""


def helpers_differ(after: Helpers, before: Helpers) -> bool:
    """Return whether the helpers differ, or their lanes, or a speed by more than MIN_SECONDS_CHANGE. Pure."""
    if after.seconds.keys() != before.seconds.keys() or after.lanes != before.lanes:
        return True
    return any(
        abs(seconds - before.seconds[node]) > MIN_SECONDS_CHANGE * before.seconds[node]
        for node, seconds in after.seconds.items()
    )
