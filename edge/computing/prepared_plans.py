"""The plans that an edge is ready for, pure: one for new frames, and those by which earlier frames are finished.

Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.computing.plan_work import PlanWork


class PreparedPlans:
    """Plans by epoch. New frames follow the preferred one.

    A withdrawn plan stays until the deadline of its last frame, because a frame is finished by the plan that it began
    with.
    """

    def __init__(self) -> None:
        self._works: dict[int, PlanWork] = {}
        self._withdrawn_at: dict[int, float] = {}
        self._preferred = 0

    def add(self, work: PlanWork) -> None:
        """Add a plan, or renew the engines of one."""
        self._works[work.epoch] = work
        self._withdrawn_at.pop(work.epoch, None)

    def get(self, epoch: int) -> PlanWork | None:
        """Return the plan with this epoch, also a withdrawn one; None when this edge is not ready for it."""
        return self._works.get(epoch)

    def prefer(self, epoch: int) -> None:
        """Let new frames follow this plan, once it is prepared."""
        self._preferred = epoch

    @property
    def preferred(self) -> PlanWork | None:
        """Return the plan for new frames: the preferred one, else the oldest that is offered; None when there is none.

        When all are withdrawn it is the newest of them, until the plan that replaces it is prepared.
        """
        if self._preferred in self._works and self._preferred not in self._withdrawn_at:
            return self._works[self._preferred]
        offered = self.epochs
        if offered:
            return self._works[offered[0]]
        return self._works[max(self._works)] if self._works else None

    @property
    def epochs(self) -> tuple[int, ...]:
        """Return the epochs of the offered plans that are prepared, sorted."""
        return tuple(sorted(self._works.keys() - self._withdrawn_at.keys()))

    def withdraw_others(self, offered: Collection[int], now: float) -> None:
        """Withdraw the plans that the gateway does not offer any more."""
        for epoch in self._works.keys() - set(offered):
            self._withdrawn_at.setdefault(epoch, now)

    def remove_expired(self, now: float) -> tuple[int, ...]:
        """Remove the withdrawn plans whose last frame has passed its deadline; return their epochs.

        The last plan stays: without one no frame could be accepted.
        """
        newest = max(self._works, default=0)
        expired = tuple(
            epoch
            for epoch, since in self._withdrawn_at.items()
            if now > since + 2 * self._works[epoch].plan.deadline_s and epoch != newest
        )
        for epoch in expired:
            del self._works[epoch], self._withdrawn_at[epoch]
        return expired
