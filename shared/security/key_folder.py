"""The folder of a device's identity, and the address of its gateway, which is apart from the key: gateways move."""

from __future__ import annotations

import os
from pathlib import Path

from shared.errors import ConfigurationError
from shared.files.whole_file import write_whole
from shared.network.addresses import Address
from shared.reasons.system_reasons import system_reason
from shared.security.node_identity import NodeIdentity, has_identity, load_identity, make_key_folder

ADDRESS_FILE = "gateway"
"""HOST:PORT of the gateway's broker for edges, for people to read and to change, too."""


def default_key_folder(state: Path | None = None) -> Path:
    """Return the folder of this device's identity, below the folder of all programs' state.

    For our services that is /var/lib, for people ~/.local/state.
    """
    base = state or os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "deepthings" / "node"


def find_identity(folder: Path) -> NodeIdentity | None:
    """Return the identity of this device; None if it has not joined a cluster. Raises ConfigurationError."""
    return load_identity(folder) if has_identity(folder) else None


def read_gateway(folder: Path) -> Address | None:
    """Return the address of the gateway that this device has joined; None if it has not. Raises ConfigurationError."""
    path = folder / ADDRESS_FILE
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {system_reason(error)}") from error
    try:
        return Address.parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}; or name the gateway with --gateway") from error


def store_gateway(folder: Path, gateway: Address) -> None:
    """Write the address of the gateway. Raises OSError."""
    make_key_folder(folder)
    write_whole(folder / ADDRESS_FILE, f"{gateway}\n".encode())


def own_node_folder(state: Path) -> Path:
    """Return the folder with the identity of the edge that a gateway runs itself, in the gateway's state folder."""
    return state / "keys" / "own-node"
