"""One hook at work: its line, what is under way, its account, and what the log is told of it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.integrations.hooks.bounded_queue import MAX_WAITING_DELIVERIES, DeliveryQueue
from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.matching import hook_matches

if TYPE_CHECKING:
    from gateway.configuration.automation import Hook
    from gateway.integrations.hooks.delivery import DeliveryOutcome, Sender
    from gateway.integrations.hooks.matching import Event

log = logging.getLogger(__name__)

MAX_CONCURRENT_DELIVERIES = 4
"""Deliveries under way for one hook: a slow one does not hold up the others, and a weak server can take as many."""

HOOK_LOG_PERIOD_S = 60.0
"""Of what goes wrong again and again the log is told once in this time, with how often it did."""


@dataclass(frozen=True, slots=True)
class HookCounts:
    """A hook's account: notified = delivered + failed + dropped + waiting + under_way."""

    notified: int
    delivered: int
    failed: int
    dropped: int
    waiting: int
    under_way: int


class HookQueue:
    """Takes events at any time without waiting, and delivers them between `start` and `stop`."""

    def __init__(self, name: str, hook: Hook, sender: Sender) -> None:
        self.name = name
        self._hook = hook
        self._sender = sender
        self._line = DeliveryQueue()
        self._sending: set[asyncio.Task[DeliveryOutcome]] = set()
        self._started = False
        self._notified = self._delivered = self._failed = self._dropped = 0
        self._failures, self._drops = LogThrottle(), LogThrottle()
        self._failing = False

    def notify(self, event: Event) -> None:
        """Deliver the event when its turn comes, if the hook asks for it."""
        if not hook_matches(self._hook, event):
            return
        self._notified += 1
        if self._line.add(Delivery.from_event(event)) is not None:
            self._dropped += 1
            if told := self._drops.count(time.monotonic()):
                log.warning(
                    "%s: %s dropped, the oldest of %s that wait", self.name, _events(told), MAX_WAITING_DELIVERIES
                )
        self._go_on()

    def start(self) -> None:
        self._started = True
        self._go_on()

    async def drain(self) -> None:
        """Return when nothing waits and nothing is under way."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def stop(self) -> None:
        """Give up on the rest."""
        self._started = False
        waiting, under_way = self._line.clear(), len(self._sending)
        self._dropped += waiting  # and those under way as each of them ends
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if waiting + under_way:
            log.warning("%s: %s not delivered before the end", self.name, _events(waiting + under_way))

    def counts(self) -> HookCounts:
        return HookCounts(
            self._notified, self._delivered, self._failed, self._dropped, len(self._line), len(self._sending)
        )

    def _go_on(self) -> None:
        while (
            self._started
            and len(self._sending) < MAX_CONCURRENT_DELIVERIES
            and (delivery := self._line.take()) is not None
        ):
            task = asyncio.create_task(self._sender.send(delivery))
            self._sending.add(task)
            task.add_done_callback(partial(self._ended, delivery))

    def _ended(self, delivery: Delivery, task: asyncio.Task[DeliveryOutcome]) -> None:
        self._sending.discard(task)
        self._line.finish(delivery)
        if task.cancelled():
            self._dropped += 1
        elif (error := task.exception()) is not None:
            self._fail("a fault of our own; with -v the log says more")
            log.debug("%s: delivery %s", self.name, delivery.id, exc_info=error)
        elif failure := task.result().failure:
            self._fail(failure)
        else:
            self._succeed(task.result().said)
        self._go_on()

    def _fail(self, reason: str) -> None:
        self._failed += 1
        self._failing = True
        if told := self._failures.count(time.monotonic()):
            log.warning("%s: %s not delivered: %s", self.name, _events(told), reason)

    def _succeed(self, said: str) -> None:
        self._delivered += 1
        if self._failing:
            self._failing = False
            log.info("%s: delivers again", self.name)
        if said:
            log.info("%s: %s", self.name, said)


class LogThrottle:
    """Counts what happens again and again, to tell of it at once and then at most every HOOK_LOG_PERIOD_S."""

    def __init__(self) -> None:
        self._untold = 0
        self._told_at = -math.inf

    def count(self, now: float) -> int:
        """One more at `now`, seconds; returns how many to tell of, 0 for not yet."""
        self._untold += 1
        if now - self._told_at < HOOK_LOG_PERIOD_S:
            return 0
        told, self._untold, self._told_at = self._untold, 0, now
        return told


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
