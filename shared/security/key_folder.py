"""The folder of a device's identity, and the files with its gateway's address, which may change without the keys."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from shared.errors import ConfigurationError
from shared.files.whole_file import write_whole
from shared.network.addresses import Address
from shared.network.ports import DATA_PORT
from shared.reasons.system_reasons import system_reason
from shared.security.node_identity import NodeIdentity, has_identity, load_identity, make_key_folder

ADDRESS_FILE = "gateway"
"""The file with HOST:PORT of the gateway's broker for edges; people may read and change it."""

KNOWN_MEMBERS_FILE = "known-members.json"
"""The file with the last list of members that a camera has received from its gateway."""

DATA_PORT_FILE = "gateway-data-port"
"""The file with the port of the gateway's data plane, at the same host."""


def default_key_folder(state: Path | None = None) -> Path:
    """Return the folder of this device's identity, below `state`, the folder in which programs keep their state.

    By default that is ~/.local/state; our services set it to /var/lib.
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


def read_data_plane(folder: Path) -> Address | None:
    """Return the address of the gateway's data plane: the host of its broker, and the port that it told when joining.

    None if this device has not joined. Raises ConfigurationError.
    """
    gateway = read_gateway(folder)
    if gateway is None:
        return None
    port = DATA_PORT
    with contextlib.suppress(OSError, ValueError):
        port = int((folder / DATA_PORT_FILE).read_text("ascii"))
    return Address(gateway.host, port)


def store_gateway(folder: Path, gateway: Address, data_port: int | None = None) -> None:
    """Write the address of the gateway's broker and, if given, the port of its data plane. Raises OSError."""
    make_key_folder(folder)
    write_whole(folder / ADDRESS_FILE, f"{gateway}\n".encode())
    if data_port is not None:
        write_whole(folder / DATA_PORT_FILE, f"{data_port}\n".encode())


def own_node_folder(state: Path) -> Path:
    """Return the folder with the identity of the edge that a gateway runs itself, in the gateway's state folder."""
    return state / "keys" / "own-node"
