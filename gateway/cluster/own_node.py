"""Runs the own node: an edge without cameras as a child process, so that the gateway's own cores compute, too."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from shared.mqtt.client_ids import OWN_NODE
from shared.network.backoff import Backoff
from shared.process.children import deepthings_command, parent_death_prefix, stop_process
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.payloads.cluster import Identity

log = logging.getLogger(__name__)

SETTLE_S = 3.0
"""Time between two checks whether the node is needed. It is not started at once: an edge of this machine, which starts
together with the gateway, would need the same cores."""

ALONE_S = 60.0
"""The node runs on for this long without any other edge, because edges or a broker that restart are back soon."""

STOP_TIMEOUT_S = 5.0

FIRST_RESTART_S, MAX_RESTART_S = 5.0, 300.0
"""Pauses before the node is started again after it has ended by itself."""


class OwnNode:
    """Runs the node while edges are present, and none of them is on this machine, whose cores it would share."""

    def __init__(
        self,
        members: Membership,
        identity: Callable[[], Identity],
        broker: Address,
        listen: str,
        arguments: Sequence[str],
    ) -> None:
        """`identity()` returns the gateway's network identity; `arguments` are further ones for `deepthings edge`.

        `broker` is the broker for edges; `listen` is the host at which the node listens.
        """
        self._members = members
        self._identity = identity
        self._command = [
            *parent_death_prefix(), *deepthings_command(), "edge", "--gateway", str(broker), "--name", OWN_NODE,
            "--listen", listen, "--no-cameras", "--parent", str(os.getpid()), *arguments,
        ]  # fmt: skip

    async def run(self) -> None:
        """Start and stop the node as edges come and go, until cancelled."""
        backoff = Backoff(FIRST_RESTART_S, MAX_RESTART_S)
        while True:
            await asyncio.sleep(SETTLE_S)
            if not self._needed():
                continue
            try:
                await self._run_node(backoff)
            except OSError as error:
                log.warning("the gateway's own cores cannot compute frames: %s; trying again", system_reason(error))
                await asyncio.sleep(backoff.next_s())

    def _needed(self) -> bool:
        return bool(self._others()) and not self._edge_on_this_machine()

    def _others(self) -> list[str]:
        return [name for name in self._members.present if name != OWN_NODE]

    def _edge_on_this_machine(self) -> bool:
        """Return whether an edge runs on this machine: it uses the same cores."""
        own = self._identity().network
        states = [self._members.online(name) for name in self._others()]
        return any(state is not None and state.identity.network == own for state in states)

    async def _run_node(self, backoff: Backoff) -> None:
        """Run the node until it ends, an edge starts on this machine, or no edge has been present for ALONE_S."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        log.info("the gateway's own cores compute frames, too: no edge is on this machine")
        ended = asyncio.create_task(process.wait())
        alone_s = 0.0
        try:
            while not ended.done() and not self._edge_on_this_machine() and alone_s < ALONE_S:
                await asyncio.wait([ended], timeout=SETTLE_S)
                alone_s = 0.0 if self._others() else alone_s + SETTLE_S
        finally:
            log.info(
                "the gateway's own cores do not compute frames any more: %s",
                "their process ended" if ended.done() else "not needed",
            )
            await stop_process(process, STOP_TIMEOUT_S)
            ended.cancel()
        if ended.done() and not ended.cancelled() and process.returncode:
            log.warning(
                "the node of the gateway's own cores ended with exit code %d; it is started again", process.returncode
            )
            await asyncio.sleep(backoff.next_s())
        else:
            backoff.reset()
