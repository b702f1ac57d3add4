"""Queues the events of one hook, delivers them, counts and logs the outcomes."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.matching import hook_matches

if TYPE_CHECKING:
    from gateway.configuration.automation import HookSection
    from gateway.integrations.hooks.delivery import DeliveryOutcome, Sender
    from gateway.integrations.hooks.matching import Event

log = logging.getLogger(__name__)

MAX_WAITING_DELIVERIES = 100
"""Deliveries that wait for one hook. A busy street causes as many events in a minute; older events are outdated."""

MAX_CONCURRENT_DELIVERIES = 4
"""Deliveries in progress for one hook: several, so that a slow one does not block others; few, for weak servers."""

HOOK_LOG_PERIOD_S = 60.0
"""A repeated failure is logged once in this time, with the number of events."""


class DeliveryQueue:
    """Deliveries that wait, first in, first out. If the queue is full, the oldest is dropped.

    At most one delivery of each object is in progress, so that the events of an object arrive in order.
    """

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._objects_in_progress: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery) -> Delivery | None:
        """Append a delivery. Return the one that is dropped because the queue was full, if any."""
        self._waiting.append(delivery)
        return self._waiting.popleft() if len(self._waiting) > MAX_WAITING_DELIVERIES else None

    def take(self) -> Delivery | None:
        """Remove and return the first delivery whose object has none in progress; None if there is none.

        The delivery is then in progress, until `finish`.
        """
        for place, delivery in enumerate(self._waiting):
            if delivery.object not in self._objects_in_progress:
                del self._waiting[place]
                self._objects_in_progress.add(delivery.object)
                return delivery
        return None

    def finish(self, delivery: Delivery) -> None:
        """Note that a taken delivery has ended: the next one of its object may be taken."""
        self._objects_in_progress.discard(delivery.object)

    def clear(self) -> int:
        """Drop all waiting deliveries; return their number."""
        count = len(self._waiting)
        self._waiting.clear()
        return count


@dataclass(frozen=True, slots=True)
class HookCounts:
    """The counts of a hook's events: notified = delivered + failed + dropped + waiting + in_progress."""

    notified: int
    delivered: int
    failed: int
    dropped: int
    waiting: int
    in_progress: int


class HookDispatcher:
    """Accepts the events of one hook at any time, and delivers them between `start` and `stop`."""

    def __init__(self, name: str, hook: HookSection, sender: Sender) -> None:
        self.name = name
        self._hook = hook
        self._sender = sender
        self._queue = DeliveryQueue()
        self._sending: set[asyncio.Task[DeliveryOutcome]] = set()
        self._started = False
        self._notified = self._delivered = self._failed = self._dropped = 0
        self._failures, self._drops = LogThrottle(), LogThrottle()
        self._failure = ""

    def notify(self, event: Event) -> None:
        """Queue an event if the hook matches it. Return at once."""
        if not hook_matches(self._hook, event):
            return
        self._notified += 1
        if self._queue.put(Delivery.from_event(event)) is not None:
            self._dropped += 1
            if count := self._drops.count(time.monotonic()):
                log.warning("%s: %s dropped, the oldest of %s that wait", self.name, _events(count), len(self._queue))
        self._send_next()

    def start(self) -> None:
        """Begin to deliver."""
        self._started = True
        self._send_next()

    async def drain(self) -> None:
        """Wait until no delivery waits or is in progress."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def stop(self) -> None:
        """Drop the waiting deliveries, and cancel those in progress."""
        self._started = False
        waiting, in_progress = self._queue.clear(), len(self._sending)
        self._dropped += waiting  # deliveries in progress are counted when their tasks end
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if waiting + in_progress:
            log.warning("%s: %s not delivered before the end", self.name, _events(waiting + in_progress))

    def counts(self) -> HookCounts:
        """Return the counts since the hook was created."""
        return HookCounts(
            self._notified, self._delivered, self._failed, self._dropped, len(self._queue), len(self._sending)
        )

    def problems(self) -> list[str]:
        """Return a sentence on why the last delivery failed, with the counts; nothing if it succeeded."""
        if not self._failure:
            return []
        now = self.counts()
        return [
            f"{self.name}: the last event was not delivered: {self._failure} (of {_events(now.notified)}: "
            f"{now.delivered} delivered, {now.failed} failed, {now.dropped} dropped, "
            f"{now.waiting + now.in_progress} waiting)"
        ]

    def _send_next(self) -> None:
        while (
            self._started
            and len(self._sending) < MAX_CONCURRENT_DELIVERIES
            and (delivery := self._queue.take()) is not None
        ):
            task = asyncio.create_task(self._sender.send(delivery))
            self._sending.add(task)
            task.add_done_callback(partial(self._on_ended, delivery))

    def _on_ended(self, delivery: Delivery, task: asyncio.Task[DeliveryOutcome]) -> None:
        self._sending.discard(task)
        self._queue.finish(delivery)
        if task.cancelled():
            self._dropped += 1
        elif (error := task.exception()) is not None:
            self._on_failure("an internal error; run the gateway with -v for details")
            log.debug("%s: delivery %s", self.name, delivery.id, exc_info=error)
        elif failure := task.result().failure:
            self._on_failure(failure)
        else:
            self._on_success(task.result().output)
        self._send_next()

    def _on_failure(self, reason: str) -> None:
        self._failed += 1
        self._failure = reason
        if count := self._failures.count(time.monotonic()):
            log.warning("%s: %s not delivered: %s", self.name, _events(count), reason)

    def _on_success(self, output: str) -> None:
        self._delivered += 1
        if self._failure:
            self._failure = ""
            log.info("%s: delivers again", self.name)
        if output:
            log.info("%s: %s", self.name, output)


class LogThrottle:
    """Counts repeated failures: the first is logged at once, further ones at most once in HOOK_LOG_PERIOD_S."""

    def __init__(self) -> None:
        self._unlogged = 0
        self._logged_at = -math.inf

    def count(self, now: float) -> int:
        """Count one failure at `now`, in seconds. Return the number of failures to log; 0 if it is too early."""
        self._unlogged += 1
        if now - self._logged_at < HOOK_LOG_PERIOD_S:
            return 0
        count, self._unlogged, self._logged_at = self._unlogged, 0, now
        return count


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
