"""Checks the access rules of the gateway's own broker, keeps flooding clients out, and reports problems with logins."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.broker.access_check import check_access
from gateway.broker.busiest_connection import busiest_peer
from gateway.broker.node_rates import MAX_COMMANDS_PER_S, MAX_NODE_MESSAGES_PER_S, SUSPENSION_S, CommandRate
from shared.errors import BrokerError
from shared.network.addresses import local_address
from shared.process.lifecycle import run_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.broker.broker_access import BrokerAccess
    from gateway.broker.mosquitto import OwnBroker
    from gateway.broker.node_rates import NodeRates

log = logging.getLogger(__name__)

SUSPENSION_CHECK_PERIOD_S = 5.0
"""Suspensions that have ended are lifted this often."""

BACKLOG_S = 20.0
"""After a user was suspended for flooding, its queued messages may still arrive for this long; they are not counted."""

MAX_SHOWN_FAULTS = 5
"""Faults that a message names; if there are more, the rules do not work at all."""


class LoginProblems:
    """Checks the rules once, when the gateway is connected; suspends edges and users that flood; reports both."""

    def __init__(self, access: BrokerAccess, rates: NodeRates, prefix: str, lose: Callable[[str], object]) -> None:
        """`lose(name)` is called with an edge that is suspended: the cluster must not wait for it."""
        self._access = access
        self._rates = rates
        self._lose = lose
        self._commands = CommandRate(prefix)
        self._flooded = asyncio.Event()
        self._backlog_until = 0.0
        self.checked = asyncio.Event()
        self._users_until: dict[str, float] = {}
        self._prefix = prefix
        self._faults: list[str] = []
        self.broker: OwnBroker | None = None
        """The running broker; set when it has started."""

    async def run(self, connected: asyncio.Event) -> None:
        """Wait until `connected`, check the access rules, and suspend flooding users, until cancelled."""
        await connected.wait()
        await run_together(self._check(), self._suspend_flooding())

    async def _suspend_flooding(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SUSPENSION_CHECK_PERIOD_S):
                    await self._flooded.wait()
            now = time.monotonic()
            if self._flooded.is_set() and now >= self._backlog_until:
                await self._suspend_flooding_user()
                self._backlog_until = time.monotonic() + BACKLOG_S
            self._flooded.clear()
            self._users_until = {user: until for user, until in self._users_until.items() if until > now}
            self._access.suspend(self._rates.suspended(now))
            self._access.suspend_users(tuple(sorted(self._users_until)))

    async def _suspend_flooding_user(self) -> None:
        """Suspend the user whose connection sends most; all users if that connection or its user is unknown."""
        places, known = self._access.places, self._access.users.read()
        ports = [place.port for place in (places.public, places.public_encrypted) if place is not None]
        peer = await busiest_peer(ports)
        user = "" if self.broker is None else self.broker.refused.user_of(peer)
        for name in [user] if user in known else known:
            log.error(
                "user %s sends more than %s commands a second: it is suspended for a minute; look at what it does",
                name, MAX_COMMANDS_PER_S,
            )  # fmt: skip
            self._users_until[name] = time.monotonic() + SUSPENSION_S

    def on_arrival(self, topic: str) -> None:
        """Count a message that has arrived, and suspend its edge if that sends more than MAX_NODE_MESSAGES_PER_S."""
        now = time.monotonic()
        if self._commands.on_message(topic, now) and now >= self._backlog_until:
            self._flooded.set()
        node = self._rates.on_message(topic, now)
        if node is not None:
            log.error(
                "edge %s sends more than %s messages a second: it is suspended for a minute; look into its log",
                node, MAX_NODE_MESSAGES_PER_S,
            )  # fmt: skip
            self._access.suspend(self._rates.suspended(now))
            self._lose(node)

    def refused_devices(self, now: float) -> list[str]:
        """Return the addresses that were refused lately at the ports for edges."""
        places = self._access.places
        ports = frozenset({places.cluster.port, places.edges.port})
        return [] if self.broker is None else self.broker.refused.addresses(ports, now)

    async def _check(self) -> None:
        broker = local_address(self._access.places.cluster)
        try:
            for probe in (self._access.edge_probe, self._access.user_probe):
                if probe is not None:
                    self._faults += map(str, await check_access(broker, self._access.login, probe, self._prefix))
        except BrokerError as error:
            self._faults.append(str(error))
        for fault in self._faults[:MAX_SHOWN_FAULTS]:
            log.error("access rules of the gateway's own broker: %s", fault)
        self.checked.set()
        await asyncio.Event().wait()

    def problems(self, now: float) -> list[str]:
        """Return the problems at `now`, in monotonic seconds, as sentences."""
        found = []
        if self._faults:
            more = f", and {len(self._faults) - MAX_SHOWN_FAULTS} more" if len(self._faults) > MAX_SHOWN_FAULTS else ""
            found.append(
                f"the gateway's own broker does not keep its access rules: {'; '.join(self._faults[:MAX_SHOWN_FAULTS])}"
                f"{more}; install another version of Mosquitto 2"
            )
        found += [
            f"edge {node} sent more than {MAX_NODE_MESSAGES_PER_S} messages a second, and is suspended for a minute: "
            f"look into its log, or remove it with 'deepthings revoke {node}'"
            for node in self._rates.suspended(now)
        ]
        found += [
            f"user {user} sent more than {MAX_COMMANDS_PER_S} commands a second, and is suspended for a minute: "
            f"look at what that program does, or remove it with 'deepthings user remove {user}'"
            for user, until in sorted(self._users_until.items())
            if until > now
        ]
        if self.broker is not None and self.broker.was_full(now):
            found.append(
                "the gateway's own broker was full, and has started again: a program publishes very much, or does not "
                "read what it has subscribed to; look at its log, and remove logins that you do not need"
            )
        if self.broker is None:
            return found
        places, refused = self._access.places, self.broker.refused
        devices = self.refused_devices(now)
        if devices:
            found.append(
                f"devices that are no members of the cluster were refused: {', '.join(devices)}; if they are yours, "
                "run 'deepthings invite' here, and the command that it prints there"
            )
        public = {place.port for place in (places.public, places.public_encrypted) if place is not None}
        programs = refused.addresses(frozenset(public), now)
        if programs:
            found.append(
                f"programs without a right login were refused: {', '.join(programs)}; if they are yours, run "
                "'deepthings user add NAME' here, and give them that login"
            )
        return found
