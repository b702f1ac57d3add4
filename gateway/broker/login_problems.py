"""The problems of logins at the gateway's own broker: rules that do not hold, and clients that are refused."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from gateway.broker.access_check import check_access
from gateway.broker.node_rates import MAX_NODE_MESSAGES_PER_S
from shared.errors import BrokerError
from shared.network.addresses import local_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.broker.broker_access import BrokerAccess
    from gateway.broker.mosquitto import OwnBroker
    from gateway.broker.node_rates import NodeRates

log = logging.getLogger(__name__)

SUSPENSION_CHECK_PERIOD_S = 5.0
"""An edge that was kept out may try again after its time and at most this long."""

SHOWN_FAULTS = 5
"""Faults that are named; if there are more, the rules are wrong as a whole."""


class LoginProblems:
    """Checks the rules once when the gateway is connected, and reports."""

    def __init__(self, access: BrokerAccess, rates: NodeRates, prefix: str, lose: Callable[[str], object]) -> None:
        """`lose(name)` gives up an edge that is kept out."""
        self._access = access
        self._rates = rates
        self._lose = lose
        self._prefix = prefix
        self._faults: list[str] = []
        self.broker: OwnBroker | None = None
        """The one that runs."""

    async def run(self, connected: asyncio.Event) -> None:
        """Wait for the broker, and check what the logins of edges and people can do there; run until cancelled."""
        await connected.wait()
        await self._check()
        while True:
            await asyncio.sleep(SUSPENSION_CHECK_PERIOD_S)
            self._access.suspend(self._rates.suspended(time.monotonic()))

    def on_arrival(self, topic: str) -> None:
        """Keep an edge out that sends more than the gateway can read beside the messages of all others."""
        now = time.monotonic()
        node = self._rates.on_message(topic, now)
        if node is not None:
            log.error("edge %s sends more than %s messages a second: it is kept out", node, MAX_NODE_MESSAGES_PER_S)
            self._access.suspend(self._rates.suspended(now))
            self._lose(node)

    async def _check(self) -> None:
        broker = local_address(self._access.places.cluster)
        try:
            for probe in (self._access.edge_probe, self._access.user_probe):
                if probe is not None:
                    self._faults += map(str, await check_access(broker, self._access.login, probe, self._prefix))
        except BrokerError as error:
            self._faults.append(str(error))
        for fault in self._faults[:SHOWN_FAULTS]:
            log.error("access rules of the gateway's own broker: %s", fault)

    def problems(self, now: float) -> list[str]:
        """Return the problems at `now`, in monotonic seconds, as sentences."""
        found = []
        if self._faults:
            more = f", and {len(self._faults) - SHOWN_FAULTS} more" if len(self._faults) > SHOWN_FAULTS else ""
            found.append(
                f"the gateway's own broker does not keep its access rules: {'; '.join(self._faults[:SHOWN_FAULTS])}"
                f"{more}; install another version of Mosquitto 2"
            )
        found += [
            f"edge {node} sent more than {MAX_NODE_MESSAGES_PER_S} messages a second, and is kept out for a minute: "
            f"look into its log, or remove it with 'deepthings revoke {node}'"
            for node in self._rates.suspended(now)
        ]
        if self.broker is not None and self.broker.was_full(now):
            found.append(
                "the gateway's own broker was full, and has started again: a program publishes very much, or does not "
                "read what it has subscribed to; look at its log, and remove logins that you do not need"
            )
        if self.broker is None:
            return found
        places, refused = self._access.places, self.broker.refused
        devices = refused.addresses(frozenset({places.cluster.port, places.edges.port}), now)
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
