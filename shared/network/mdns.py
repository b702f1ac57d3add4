"""Announces a gateway, and listens for announcements, by mDNS/DNS-SD.

Import this module only where it is needed: zeroconf is slow to import.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

import zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from shared.errors import AnnouncementError
from shared.network.announcement import CLUSTER_FIELD, SERVICE_TYPE, announced_places
from shared.network.interfaces import interface_networks_v6
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from shared.network.addresses import Address

LISTENING_S = 3.0
"""Time to listen. Gateways answer a query within a second; over a bad Wi-Fi only the second query may arrive."""

DETAILS_TIMEOUT_MS = 2000.0
"""Timeout for the address and port of an announcement, which mostly come with the first answer."""

MAX_ANNOUNCERS = 64
"""Announcements that are evaluated; a network has a few, unless somebody floods it."""

logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # its errors are raised as well, or are those of strangers


async def announce(cluster: str, port: int, addresses: tuple[str, ...]) -> AsyncZeroconf:
    """Announce a cluster at these addresses until `async_close` of the result. Raises AnnouncementError."""
    # The name is random: a device that knew it beforehand could claim it first, and so keep the gateway silent.
    instance = secrets.token_hex(8)
    info = AsyncServiceInfo(
        SERVICE_TYPE, f"{instance}.{SERVICE_TYPE}", port=port, properties={CLUSTER_FIELD: cluster},
        server=f"deepthings-{instance}.local.", parsed_addresses=list(addresses),
    )  # fmt: skip
    responder = _open(addresses)
    try:
        await (await responder.async_register_service(info, cooperating_responders=True))
    except BaseException as error:
        await responder.async_close()
        if isinstance(error, OSError | zeroconf.Error):
            raise AnnouncementError(_reason(error)) from error
        raise
    return responder


async def places_of(cluster: str) -> list[Address]:
    """Return the addresses at which gateways of this cluster are announced. Raises AnnouncementError."""
    responder, names = _open(), set[str]()

    def note(zeroconf: object, service_type: str, name: str, state_change: object) -> None:  # noqa: ARG001  (its call)
        if len(names) < MAX_ANNOUNCERS and name.endswith(f".{SERVICE_TYPE}"):
            names.add(name)

    browser = AsyncServiceBrowser(responder.zeroconf, SERVICE_TYPE, handlers=[note])
    try:
        await asyncio.sleep(LISTENING_S)
        infos = [AsyncServiceInfo(SERVICE_TYPE, name) for name in names]
        await asyncio.gather(*(info.async_request(responder.zeroconf, DETAILS_TIMEOUT_MS) for info in infos))
    except (OSError, zeroconf.Error) as error:
        raise AnnouncementError(_reason(error)) from error
    finally:
        await browser.async_cancel()
        await responder.async_close()
    own = interface_networks_v6()
    found = [
        place
        for info in infos
        for place in announced_places(cluster, info.properties, info.port, info.parsed_addresses(), own)
    ]
    return list(dict.fromkeys(found))


def _open(addresses: tuple[str, ...] = ()) -> AsyncZeroconf:
    """Open the sockets, on all interfaces or on those with these addresses. Raises AnnouncementError."""
    interfaces = list(addresses) if addresses else zeroconf.InterfaceChoice.All
    try:
        return AsyncZeroconf(interfaces=interfaces, ip_version=_version_of(addresses))
    except (OSError, RuntimeError, zeroconf.Error) as error:  # RuntimeError: no interface has an address
        raise AnnouncementError(_reason(error)) from error


def _version_of(addresses: tuple[str, ...]) -> zeroconf.IPVersion:
    """Return the IP versions of these addresses; without addresses, those of this machine's interfaces."""
    versions = {":" in address for address in addresses} or {False, bool(interface_networks_v6())}
    if len(versions) == 2:
        return zeroconf.IPVersion.All
    return zeroconf.IPVersion.V6Only if True in versions else zeroconf.IPVersion.V4Only


def _reason(error: Exception) -> str:
    return system_reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
