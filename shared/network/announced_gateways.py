"""Listens for the announcements of gateways, and imports the library for that only when it is needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.network.addresses import Address


async def announced_gateways(cluster: str) -> list[Address]:
    """Return the addresses at which gateways of this cluster are announced. Raises AnnouncementError."""

    def load() -> Callable[[str], Awaitable[list[Address]]]:
        from shared.network.mdns import places_of  # noqa: PLC0415  (slow to import, and most devices never need it)

        return places_of

    places_of = await asyncio.to_thread(load)
    return await places_of(cluster)
