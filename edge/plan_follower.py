"""Follows the gateway's plans: prepares and adopts the newest one, and tries again after failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, ProgramRefusedError, WrongResultError
from shared.network.backoff import Backoff
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.plan.plan import PlanOffer

log = logging.getLogger(__name__)

FIRST_REPLACED_PAUSE_S, MAX_REPLACED_PAUSE_S = 0.5, 30.0
"""Pauses after a plan was replaced while it was prepared: when plans follow each other quickly, preparing each of them
would take all the time of a small device."""

FIRST_FAULTY_RETRY_S, MAX_FAULTY_RETRY_S = 10.0, 1800.0
"""Pauses of a device that computes wrongly, or refuses a program: each attempt prepares it again, probably in vain."""


class PlanFollower:
    """Prepares one plan at a time with `adopt`, which is cancelled as soon as there is a newer plan.

    `problem` is the reason why the newest plan is not followed, one line; empty while there is none.
    """

    def __init__(self, adopt: Callable[[PlanOffer], Awaitable[None]]) -> None:
        self._adopt = adopt
        self._newest: PlanOffer | None = None
        self._due, self._replaced = asyncio.Event(), asyncio.Event()
        self._faulty = False
        self.problem = ""

    def on_plan(self, plan: PlanOffer) -> None:
        """Follow this plan from now on."""
        if self._newest is not None and self._newest.epoch != plan.epoch:
            self._replaced.set()
        self._newest = plan
        self._due.set()

    def retry_plan(self) -> None:
        """Prepare the newest plan once more."""
        if self._newest is not None:
            self._due.set()

    async def run(self) -> None:
        """Follow plans until cancelled; one that cannot be followed is tried again, with growing pauses."""
        failures, replacements = Backoff(), Backoff(FIRST_REPLACED_PAUSE_S, MAX_REPLACED_PAUSE_S)
        faults = Backoff(FIRST_FAULTY_RETRY_S, MAX_FAULTY_RETRY_S)
        while True:
            await self._due.wait()
            self._due.clear()
            self._replaced.clear()
            plan = self._newest  # a plan that arrives from now on sets both events again
            assert plan is not None
            attempt = asyncio.create_task(self._attempt(plan))
            replaced = asyncio.create_task(self._replaced.wait())
            try:
                await asyncio.wait([attempt, replaced], return_when=asyncio.FIRST_COMPLETED)
            finally:
                superseded = not attempt.done()
                for task in (attempt, replaced):
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            if superseded:
                log.info("plan %s was replaced before it was ready", plan.epoch)
                await asyncio.sleep(replacements.next_s())
            elif self.problem:
                delay_s = (faults if self._faulty else failures).next_s()
                log.warning("the plan cannot be followed: %s; trying again in %.1f s", self.problem, delay_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await self._replaced.wait()
                self._due.set()
            else:
                failures.reset()
                faults.reset()
                replacements.reset()

    async def _attempt(self, plan: PlanOffer) -> None:
        """Adopt a plan; any failure becomes a problem, and does not stop the edge."""
        try:
            await self._adopt(plan)
            self.problem = ""
        except DeepThingsError as error:
            self.problem, self._faulty = str(error), isinstance(error, WrongResultError | ProgramRefusedError)
        except OSError as error:
            self.problem, self._faulty = f"this device cannot prepare it: {system_reason(error)}", False
        except Exception as error:  # a plan may contain anything; the current one stays in use
            log.debug("plan %s failed", plan.epoch, exc_info=True)
            self._faulty = False
            self.problem = f"it does not fit its program, or this release ({system_reason(error)})"
