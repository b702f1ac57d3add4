"""Resolves the gateway's name, and connects to its port and its page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from shared.doctor.doctor_facts import NameAnswer, PortAnswer
from shared.network.addresses import Address
from shared.network.ports import (
    CLUSTER_PORT,
    CLUSTER_TLS_PORT,
    DATA_PORT,
    PUBLIC_PORT,
    PUBLIC_TLS_PORT,
)
from shared.reasons.network_reasons import network_reason

NAME_TIMEOUT_S = 10.0
"""A resolver tries each of its servers for five seconds."""

PORT_TIMEOUT_S = 5.0
"""A host on the local network that has not answered by then does not exist or is off."""

OTHER_PORT_TIMEOUT_S = 1.5
"""Timeout of the other ports of a host, which are tried at the same time."""

USUAL_PORTS = (CLUSTER_TLS_PORT, CLUSTER_PORT, DATA_PORT, PUBLIC_PORT, PUBLIC_TLS_PORT)

PAGE_REQUEST = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"


async def resolve_name(host: str) -> NameAnswer:
    """Return the addresses of a name."""
    try:
        async with asyncio.timeout(NAME_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # a UnicodeError, too, for an impossible name
        return NameAnswer(reason=network_reason(error))
    return NameAnswer(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))


async def try_port(address: Address) -> PortAnswer:
    """Connect to a port; if that fails, try the usual ports of a gateway on this host."""
    try:
        await _connect(address, PORT_TIMEOUT_S)
    except (OSError, ValueError, OverflowError) as error:
        others = [Address(address.host, port) for port in USUAL_PORTS if port != address.port]
        opened = await asyncio.gather(*map(_is_open, others))
        found = tuple(other.port for other, is_open in zip(others, opened, strict=True) if is_open)
        alive = bool(found) or isinstance(error, ConnectionRefusedError)
        return PortAnswer(network_reason(error), alive=alive, others=found)
    return PortAnswer()


async def try_page(address: Address) -> str:
    """Ask for the gateway's page, without encryption and with it; return the reason if it does not answer."""
    reason = await _ask_page(address)
    if reason and await _ask_page(address, _unverified()) == "":
        return ""
    return reason


async def _ask_page(address: Address, tls: ssl.SSLContext | None = None) -> str:
    try:
        async with asyncio.timeout(OTHER_PORT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*address, ssl=tls)
            with contextlib.closing(writer):
                writer.write(PAGE_REQUEST)
                start = await reader.readexactly(5)
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        return network_reason(error) if isinstance(error, OSError) else "it closed the connection without an answer"
    return "" if start == b"HTTP/" else "another program listens there"


def _unverified() -> ssl.SSLContext:
    """Return a context for a page whose certificate is of the cluster's own authority: nothing secret is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _connect(address: Address, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        _, writer = await asyncio.open_connection(*address)
    writer.close()


async def _is_open(address: Address) -> bool:
    try:
        await _connect(address, OTHER_PORT_TIMEOUT_S)
    except (OSError, ValueError, OverflowError):
        return False
    return True
