"""Runs all hooks, and replaces them when the configuration changes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from gateway.integrations.hooks.command import CommandSender
from gateway.integrations.hooks.queue import HookCounts, HookDispatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.configuration import automation
    from gateway.integrations.hooks.matching import Event

DRAIN_S = 2.0
"""Time to deliver the remaining events when hooks stop."""


class HookSet:
    """All hooks of one configuration, each in its own fault boundary. Call its methods in the event loop's thread."""

    def __init__(self, hooks: automation.HooksSection) -> None:
        """Raise ConfigurationError if a webhook's address is invalid."""
        self._dispatchers = [*_webhooks(hooks)] if hooks.webhooks else []
        for number, command in enumerate(hooks.commands, 1):
            runner = CommandSender(command)
            self._dispatchers.append(HookDispatcher(f"command {number} ({runner.name})", command, runner))

    def notify(self, event: Event) -> None:
        """Queue an event for all hooks that match it. Return at once."""
        for dispatcher in self._dispatchers:
            dispatcher.notify(event)

    def counts(self) -> dict[str, HookCounts]:
        """Return the counts of each hook, by its name; the names contain no secret."""
        return {dispatcher.name: dispatcher.counts() for dispatcher in self._dispatchers}

    def problems(self) -> list[str]:
        """Return a sentence for each hook that fails now."""
        return [problem for dispatcher in self._dispatchers for problem in dispatcher.problems()]

    async def run(self) -> None:
        """Deliver events until cancelled; then deliver the remaining events, for at most DRAIN_S.

        Events that were queued before the call are delivered, too.
        """
        for dispatcher in self._dispatchers:
            dispatcher.start()
        try:
            await asyncio.Event().wait()
        finally:
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_S):
                        await asyncio.gather(*(dispatcher.drain() for dispatcher in self._dispatchers))
            finally:
                await asyncio.gather(*(dispatcher.stop() for dispatcher in self._dispatchers))


def _webhooks(hooks: automation.HooksSection) -> Iterator[HookDispatcher]:
    """Yield the dispatchers of the webhooks. Raises ConfigurationError if an address is invalid."""
    from gateway.integrations.hooks.webhook import (  # noqa: PLC0415  (httpx takes 5 MB, and most homes have none)
        WebhookSender,
        trusted_certificates,
    )

    certificates = trusted_certificates()
    for number, webhook in enumerate(hooks.webhooks, 1):
        poster = WebhookSender(webhook, certificates)
        yield HookDispatcher(f"webhook {number} ({poster.name})", webhook, poster)


class HookRunner:
    """Runs the hooks of the current configuration."""

    def __init__(
        self, section: automation.HooksSection, make: Callable[[automation.HooksSection], HookSet] = HookSet
    ) -> None:
        """Raise ConfigurationError if a webhook's address is invalid. `make` builds the hooks of a section."""
        self._section = section
        self._make = make
        self._hooks = make(section)
        self._replaced = asyncio.Event()

    def replace_hooks(self, section: automation.HooksSection) -> None:
        """Use the hooks of another section from now on; an equal section changes nothing.

        The earlier hooks deliver their events first, for at most DRAIN_S. Raises ConfigurationError, and keeps the
        earlier hooks, if a webhook's address is invalid.
        """
        if section == self._section:
            return
        self._hooks = self._make(section)
        self._section = section
        self._replaced.set()

    def notify(self, event: Event) -> None:
        """Queue an event for all hooks that match it. Return at once."""
        self._hooks.notify(event)

    def problems(self, _now: float) -> list[str]:
        """Return a sentence for each hook that fails now."""
        return self._hooks.problems()

    async def run(self) -> None:
        """Run the hooks, and those that replace them, until cancelled."""
        while True:
            self._replaced.clear()
            running, replaced = asyncio.create_task(self._hooks.run()), asyncio.create_task(self._replaced.wait())
            try:
                await asyncio.wait([running, replaced], return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()  # it only ends with an error, which is raised here
            finally:
                for task in (running, replaced):
                    task.cancel()
                await asyncio.gather(running, replaced, return_exceptions=True)
