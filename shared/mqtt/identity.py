"""Which process this is, and on which device."""

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
"""Of a host's name, as Identity has it; Linux allows 64."""


def new_instance() -> str:
    """Return what tells a run of a process from all others."""
    return secrets.token_hex(8)


def identity_of(instance: str, broker: Address) -> Identity:
    """Return who this process is, as seen by those who use the same broker."""
    device = socket.gethostname()[:MAX_DEVICE_LENGTH]
    return Identity(instance=instance, device=device, address=own_address(broker), network=_network())


def _network() -> str:
    """Return what processes have in common that reach each other on loopback: a boot, and a network namespace of it.

    Neither a host's name nor its machine-id tells devices apart whose SD cards were cloned. Empty where it is unknown.
    """
    with contextlib.suppress(OSError):
        return hashlib.sha256(
            f"{BOOT_ID_FILE.read_text().strip()} {NETWORK_NAMESPACE_FILE.stat().st_ino}".encode()
        ).hexdigest()[:16]
    return ""
