"""What happens outside MQTT when something is seen: webhooks and commands, as the configuration names them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from gateway.integrations.hooks.command import CommandSender
from gateway.integrations.hooks.queue import HookCounts, HookQueue
from gateway.integrations.hooks.webhook import WebhookSender, trusted_certificates

if TYPE_CHECKING:
    from gateway.configuration import automation
    from gateway.integrations.hooks.matching import Event

DRAIN_S = 2.0
"""What is under way or waits when the gateway stops has so long: the last events of a day are worth it, no more is."""


class Hooks:
    """All hooks, each in its own fault boundary. All methods are for the event loop's thread."""

    def __init__(self, hooks: automation.Hooks) -> None:
        """Raises ConfigurationError for a webhook without a usable address."""
        trust = trusted_certificates() if hooks.webhooks else None
        self._lanes = []
        for number, webhook in enumerate(hooks.webhooks, 1):
            assert trust is not None
            poster = WebhookSender(webhook, trust)
            self._lanes.append(HookQueue(f"webhook {number} ({poster.name})", webhook, poster))
        for number, command in enumerate(hooks.commands, 1):
            runner = CommandSender(command)
            self._lanes.append(HookQueue(f"command {number} ({runner.name})", command, runner))

    def notify(self, event: Event) -> None:
        """Hand an event to all hooks that ask for it; returns at once."""
        for lane in self._lanes:
            lane.notify(event)

    def counts(self) -> dict[str, HookCounts]:
        """The account of each hook, by a name that may be shown."""
        return {lane.name: lane.counts() for lane in self._lanes}

    async def run(self) -> None:
        """Deliver until cancelled, then for DRAIN_S what is left. Before, events wait."""
        for lane in self._lanes:
            lane.start()
        try:
            await asyncio.Event().wait()
        finally:
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_S):
                        await asyncio.gather(*(lane.drain() for lane in self._lanes))
            finally:
                await asyncio.gather(*(lane.stop() for lane in self._lanes))
