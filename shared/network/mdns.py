"""Announcing a gateway, and listening for announcements, by mDNS/DNS-SD. Import it late: zeroconf is slow to import."""

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
"""Gateways answer a question within a second; over a bad Wi-Fi the second question is the one that arrives."""

DETAILS_TIMEOUT_MS = 2000.0
"""For address and port, which mostly come with the first answer."""

MAX_ANNOUNCERS = 64
"""Announcements that are looked at: a network has a few, unless somebody wants to be a nuisance."""

logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # its errors are raised as well, or are those of strangers


async def announce(cluster: str, port: int, addresses: tuple[str, ...]) -> AsyncZeroconf:
    """Announce a cluster at these addresses until `async_close` of the result. Raises AnnouncementError."""
    # A name that nobody can know beforehand: else who says first that it is taken could silence a gateway.
    instance = secrets.token_hex(8)
    info = AsyncServiceInfo(
        SERVICE_TYPE, f"{instance}.{SERVICE_TYPE}", port=port, properties={CLUSTER_FIELD: cluster},
        server=f"deepthings-{instance}.local.", parsed_addresses=list(addresses),
    )  # fmt: skip
    responder = _opened(addresses)
    try:
        await (await responder.async_register_service(info, cooperating_responders=True))
    except BaseException as error:
        await responder.async_close()
        if isinstance(error, OSError | zeroconf.Error):
            raise AnnouncementError(_reason(error)) from error
        raise
    return responder


async def places_of(cluster: str) -> list[Address]:
    """Return where gateways of this cluster say that they are. Raises AnnouncementError."""
    responder, names = _opened(), set[str]()

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


def _opened(addresses: tuple[str, ...] = ()) -> AsyncZeroconf:
    """Open the sockets, on all interfaces or on those with these addresses. Raises AnnouncementError."""
    interfaces = list(addresses) if addresses else zeroconf.InterfaceChoice.All
    try:
        return AsyncZeroconf(interfaces=interfaces, ip_version=_version_of(addresses))
    except (OSError, RuntimeError, zeroconf.Error) as error:  # RuntimeError: no interface has an address
        raise AnnouncementError(_reason(error)) from error


def _version_of(addresses: tuple[str, ...]) -> zeroconf.IPVersion:
    """Return the version of IP to speak at these addresses; without any, all that this machine has."""
    versions = {":" in address for address in addresses} or {False, bool(interface_networks_v6())}
    if len(versions) == 2:
        return zeroconf.IPVersion.All
    return zeroconf.IPVersion.V6Only if True in versions else zeroconf.IPVersion.V4Only


def _reason(error: Exception) -> str:
    return system_reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
