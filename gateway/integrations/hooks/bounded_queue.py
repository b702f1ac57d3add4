"""Deliveries of one hook that wait for their turn."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.integrations.hooks.delivery import Delivery

MAX_WAITING_DELIVERIES = 100
"""Deliveries that wait for one hook: what a busy street gives in a minute; older news than that is of no use."""


class DeliveryQueue:
    """First come, first served, but what concerns one object never overtakes itself: its `end` comes after its `new`.

    When it is full, the oldest goes.
    """

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._under_way: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, delivery: Delivery) -> Delivery | None:
        """Wait at the end of the line; returns the one that had to go for it."""
        self._waiting.append(delivery)
        return self._waiting.popleft() if len(self._waiting) > MAX_WAITING_DELIVERIES else None

    def take(self) -> Delivery | None:
        """The next one whose object has nothing under way; from now on it has. None: nobody can go now."""
        for place, delivery in enumerate(self._waiting):
            if delivery.object not in self._under_way:
                del self._waiting[place]
                self._under_way.add(delivery.object)
                return delivery
        return None

    def finish(self, delivery: Delivery) -> None:
        """A delivery that was taken has ended."""
        self._under_way.discard(delivery.object)

    def clear(self) -> int:
        """Give up on all that wait; returns how many these were."""
        count = len(self._waiting)
        self._waiting.clear()
        return count
