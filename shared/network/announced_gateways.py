"""Listens for the announcements of gateways; what that needs is imported only then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.network.addresses import Address


async def announced_gateways(cluster: str) -> list[Address]:
    """Return where somebody announces this cluster. Raises AnnouncementError."""

    def late() -> Callable[[str], Awaitable[list[Address]]]:
        from shared.network.mdns import places_of  # noqa: PLC0415  (slow to import, and most devices never need it)

        return places_of

    return await (await asyncio.to_thread(late))(cluster)
