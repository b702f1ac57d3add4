"""Tries the addresses at which a cluster is announced, until a member of the cluster proves its identity at one."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from shared.errors import AnnouncementError
from shared.network.addresses import Address
from shared.reasons.network_reasons import network_reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.network.gateway_search import GatewaySearch

log = logging.getLogger(__name__)


async def first_proved(
    search: GatewaySearch,
    announced: Awaitable[list[Address]],
    prove: Callable[[Address], Awaitable[None]],
    port: int | None = None,
) -> Address | None:
    """Return an announced address at which `prove` raises no OSError; None if there is none.

    `announced` gives the announced addresses, or raises AnnouncementError. `port` is the port to try, if it is not the
    announced one.
    """
    try:
        places = await announced
    except AnnouncementError as error:
        log.debug("the gateway cannot be looked for on the network: %s", error)
        return None
    if port is not None:
        places = [Address(place.host, port) for place in places]
    for place in search.choose(places, time.monotonic()):
        try:
            await prove(place)
        except OSError as error:  # includes PeerRefusedError, PeerLostError and PeerTimeoutError
            search.note_failure(place, time.monotonic())
            log.debug("this cluster is announced at %s, but: %s", place, network_reason(error))
        else:
            return place
    return None
