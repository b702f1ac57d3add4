"""The claim of a process on its name, which must be unique.

A process claims its name before each connection, and defends it during the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError, NameTakenError
from shared.logs.rate_limit import RateLimit
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.bus import Bus
from shared.mqtt.identity import identity_of, new_instance
from shared.mqtt.name_dispute import ClaimAttempt, Verdict, answer_claim
from shared.payloads.cluster import NameClaim
from shared.process.lifecycle import run_together

if TYPE_CHECKING:
    from shared.mqtt.broker_health import BrokerHealth
    from shared.mqtt.topic_kinds import Topic
    from shared.network.addresses import Address
    from shared.payloads.cluster import BridgeState, NodeState

log = logging.getLogger(__name__)

CLONE_WARNING_PERIOD_S = 300.0
"""A second process with our name is logged at most once in this time: a supervisor may start it every few seconds."""


@dataclass(frozen=True, slots=True)
class OwnedName:
    """A name, the topics of its claims and states, and the parts of the message for a name that another process has.

    `taken` says that the name is taken, `cure` what to do.
    """

    client_id: str
    claims: Topic[NameClaim]
    states: Topic[Any]
    taken: str
    cure: str
    name: str = ""


class NameOwner:
    """Claims the name of this process, and defends it against processes that claim it later."""

    def __init__(
        self,
        broker: Address,
        owned: OwnedName,
        prefix: str,
        *,
        login: Login = ANONYMOUS,
        health: BrokerHealth | None = None,
    ) -> None:
        """`login` and `health` are those of the process's bus at this broker."""
        self._broker = broker
        self._login = login
        self._health = health
        self._owned = owned
        self._prefix = prefix
        self._attempt_number = 0
        self._bus: Bus | None = None
        self._running: asyncio.Task[None] | None = None
        self._attempt: ClaimAttempt | None = None
        self._changed = asyncio.Event()
        self._warnings = RateLimit(CLONE_WARNING_PERIOD_S)
        self._instance = new_instance()
        self.identity = identity_of(self._instance, broker)

    @property
    def client_id(self) -> str:
        return self._owned.client_id

    @property
    def connected(self) -> bool:
        """Return whether the connection for the claim is up."""
        return self._bus is not None and self._bus.connected.is_set()

    async def claim(self) -> None:
        """Make sure that no other running process has the name, and defend it until `hand_over` or `release`.

        Waits for the broker. Raises NameTakenError, and BrokerError when the broker refuses the login.
        """
        if self._running is not None:
            return
        self.identity = identity_of(self._instance, self._broker)
        self._attempt = None
        self._bus = Bus(
            self._broker, f"{self.client_id}.{self._instance}", on_connected=self._publish_claim, prefix=self._prefix,
            temporary=True, login=self._login, health=self._health,
        )  # fmt: skip
        self._bus.on(self._owned.states, self._on_state, self._owned.name or "+")
        self._bus.on(self._owned.claims, self._on_claim, self._owned.name or "+")
        self._running = asyncio.create_task(self._bus.run())
        try:
            await self._wait_decided(self._running)
        except BaseException:
            await self.release()
            raise

    async def hand_over(self) -> None:
        """End the claim: the connected bus defends the name from now on. Clear the retained claim."""
        if self._running is not None and self._bus is not None:
            with contextlib.suppress(BrokerError):
                await self._bus.clear_retained(self._owned.claims, *self._names)
            await self.release()

    async def release(self) -> None:
        """End the claim, in any state; safe to call again."""
        if self._running is not None:
            running, self._running = self._running, None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def defend_on(self, bus: Bus) -> None:
        """Answer the claims of other processes on this bus. Call before the bus runs."""
        bus.on(self._owned.claims, lambda _, claim: self._defend(bus, claim), self._owned.name or "+")

    def _defend(self, bus: Bus, claim: NameClaim) -> None:
        answer = answer_claim(claim, self.identity)
        if answer is not None:
            bus.publish_soon(self._owned.claims, answer, *self._names)
            if self._warnings.allows(claim.identity.device, time.monotonic()):
                log.warning("%s, too: %s; %s", self._owned.taken, claim.identity, self._owned.cure)

    @property
    def _names(self) -> tuple[str, ...]:
        return (self._owned.name,) if self._owned.name else ()

    async def _publish_claim(self) -> None:
        assert self._bus is not None
        self._attempt_number += 1
        claim = NameClaim(identity=self.identity, attempt=self._attempt_number)
        self._attempt = ClaimAttempt(claim, time.monotonic())
        self._changed.set()
        await self._bus.publish(self._owned.claims, claim, *self._names)

    def _on_state(self, _: str, state: NodeState | BridgeState) -> None:
        if self._attempt is not None:
            self._attempt.on_state(state)

    def _on_claim(self, _: str, claim: NameClaim) -> None:
        if self._attempt is None or self._bus is None:
            return
        answer = self._attempt.on_claim(claim, time.monotonic())
        if answer is not None:
            self._bus.publish_soon(self._owned.claims, answer, *self._names)
        self._changed.set()

    async def _wait_decided(self, running: asyncio.Task[None]) -> None:
        """Wait until the name is ours. Raises NameTakenError, and the errors of the running bus."""
        deciding = asyncio.create_task(self._decide())
        try:
            await asyncio.wait([running, deciding], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()  # raises an error, because the bus ends only by a failure
            deciding.result()
        finally:
            deciding.cancel()
            await asyncio.gather(deciding, return_exceptions=True)

    async def _decide(self) -> None:
        """Return when the verdict is that the name is ours. Raises NameTakenError."""
        logged = False
        while True:
            attempt, now = self._attempt, time.monotonic()
            verdict = attempt.verdict(now) if attempt else Verdict.OPEN
            if verdict is Verdict.OURS:
                return
            if attempt is not None and attempt.rival is not None:
                raise NameTakenError(f"{self._owned.taken} already: {attempt.rival}; {self._owned.cure}")
            if attempt is not None and attempt.hinted and not logged:
                log.info("%s, according to the broker: checking whether that process still runs", self._owned.taken)
                logged = True
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(attempt.remaining_s(now) if attempt else None):
                    await self._changed.wait()


async def wait_for_name(owner: NameOwner, stop: asyncio.Event) -> bool:
    """Wait until the name is ours or `stop` is set; return whether it is ours. Raises NameTakenError, BrokerError."""
    await run_together(owner.claim(), stop.wait())
    return not stop.is_set()
