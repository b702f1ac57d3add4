"""The problems of logins at the gateway's own broker: rules that do not hold, and clients that are refused."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.broker.access_check import check_access
from shared.errors import BrokerError
from shared.network.addresses import local_address

if TYPE_CHECKING:
    from gateway.broker.broker_access import BrokerAccess
    from gateway.broker.refused_connections import RefusedConnections

log = logging.getLogger(__name__)

SHOWN_FAULTS = 5
"""Faults that are named; if there are more, the rules are wrong as a whole."""


class LoginProblems:
    """Checks the rules once when the gateway is connected, and reports."""

    def __init__(self, access: BrokerAccess, prefix: str) -> None:
        self._access = access
        self._prefix = prefix
        self._faults: list[str] = []
        self.refused: RefusedConnections | None = None
        """Those of the running broker."""

    async def run(self, connected: asyncio.Event) -> None:
        """Wait for the broker, and check what the logins of edges and people can do there; run until cancelled."""
        await connected.wait()
        await self._check()
        await asyncio.Event().wait()

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
        places, refused = self._access.places, self.refused
        if refused is None:
            return found
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
