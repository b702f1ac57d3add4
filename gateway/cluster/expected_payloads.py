"""Limits the payload of a result or a shared tile before the gateway allocates memory for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.plan.payload_sizes import largest_pixels, largest_result
from shared.wire.headers import ResultHeader, TileHeader

if TYPE_CHECKING:
    from gateway.cluster.running_plans import RunningPlans
    from gateway.cluster.trust.holders import TileHolders
    from gateway.membership.members import Membership
    from shared.wire.header import Header


class ExpectedPayloads:
    """Knows the largest payloads, from the running plans and from the nodes that were given tiles."""

    def __init__(self, plans: RunningPlans, members: Membership, holders: TileHolders) -> None:
        self._plans = plans
        self._members = members
        self._holders = holders

    def bound_of(self, header: Header) -> int | None:
        """Return the largest payload in bytes that may follow a header; None when the message is to be dropped."""
        if isinstance(header, ResultHeader):
            running = self._plans.get(header.epoch)
            known = self._members.online(header.worker) and self._members.online(header.owner)
            if running is None or known is None or not self._holders.may_send(header, running.collector):
                return None
            return largest_result(running.plan, header.tile)
        if isinstance(header, TileHeader):
            running = self._plans.get(header.epoch)
            if running is None or not running.plan.distribution.by_gateway:
                return None
            return largest_pixels(running.plan, header.tile)
        return 0
