"""Finds the gateway of an edge that has joined at another address, when it no longer answers at the known one."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from shared.mqtt.member_login import require_gateway_at
from shared.network.announced_gateways import announced_gateways
from shared.network.announced_search import first_proved
from shared.network.gateway_search import GatewaySearch, is_long_silence
from shared.reasons.system_reasons import system_reason
from shared.security.code_parts import authority_in_code
from shared.security.key_folder import store_gateway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.network.addresses import Address
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)

_CHECK_PERIOD_S = 1.0
"""Between two looks at whether the gateway answers."""


class GatewayFinder:
    """Looks for the gateway while it is silent; believes who proves to have its key."""

    def __init__(
        self,
        identity: NodeIdentity,
        known: Address,
        silent_s: Callable[[], float],
        *,
        listen: Callable[[str], Awaitable[list[Address]]] = announced_gateways,
        require_gateway: Callable[[Address, NodeIdentity], Awaitable[None]] = require_gateway_at,
    ) -> None:
        """`silent_s` returns for how long the gateway has not answered at `known`."""
        self._identity = identity
        self._known = known
        self._silent_s = silent_s
        self._listen = listen
        self._require_gateway = require_gateway
        self._search = GatewaySearch(known)

    async def find(self) -> Address:
        """Return the gateway's new address, once it is found, and keep it for later starts."""
        while True:
            await asyncio.sleep(_CHECK_PERIOD_S)
            if not self._search.is_due(self._silent_s(), time.monotonic()):
                continue
            found = await self.look()
            if found is not None and is_long_silence(self._silent_s()):  # else it has answered meanwhile
                self._keep(found)
                return found

    async def look(self) -> Address | None:
        """Return an address at which the gateway proves itself; None if there is none."""
        announced = self._listen(authority_in_code(self._identity.authority_hash))
        return await first_proved(self._search, announced, lambda place: self._require_gateway(place, self._identity))

    def _keep(self, found: Address) -> None:
        log.info(
            "gateway %s does not answer any more; it is at %s now, proved by its key, and this edge goes on there",
            self._known, found,
        )  # fmt: skip
        try:
            store_gateway(self._identity.folder, found)
        except OSError as error:
            log.warning("the gateway's new address cannot be kept for the next start: %s", system_reason(error))
