"""The identity of this process: a random instance, its device, its address."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from shared.network.addresses import own_address
from shared.payloads.cluster import Identity

if TYPE_CHECKING:
    from shared.network.addresses import Address

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
NETWORK_NAMESPACE_FILE = Path("/proc/self/ns/net")
MAX_DEVICE_LENGTH = 100
"""Characters of a host's name in Identity; Linux allows 64."""


def new_instance() -> str:
    """Return a random identifier of one run of one process."""
    return secrets.token_hex(8)


def identity_of(instance: str, broker: Address) -> Identity:
    """Return the identity of this process for the other clients of the broker."""
    device = socket.gethostname()[:MAX_DEVICE_LENGTH]
    return Identity(instance=instance, device=device, address=own_address(broker), network=_network())


def _network() -> str:
    """Return a value that only processes with the same loopback interface share; empty where it is unknown.

    It comes from the boot id and the network namespace: devices with cloned SD cards share host name and machine-id.
    """
    with contextlib.suppress(OSError):
        return hashlib.sha256(
            f"{BOOT_ID_FILE.read_text().strip()} {NETWORK_NAMESPACE_FILE.stat().st_ino}".encode()
        ).hexdigest()[:16]
    return ""
