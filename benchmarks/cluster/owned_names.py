"""Names of namespaces, links and control groups, which contain the ID of the process that made them.

By the ID, another process recognises what a dead process left behind, and can remove it.
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
OWNED_NAME = re.compile(r"(dt([0-9]+)\.[0-9]+\.).+")
"""A name with one of our prefixes. Its groups are the prefix and the process ID."""

_numbers = itertools.count()
_own_prefixes: set[str] = set()
"""The prefixes that this process has made."""


def new_prefix() -> str:
    """Return a new prefix for names, "dtPID.NUMBER.", which no running process uses."""
    prefix = f"dt{os.getpid()}.{next(_numbers)}."
    _own_prefixes.add(prefix)
    return prefix


def is_leftover(name: str) -> bool:
    """Return whether `name` has our form, and the process that made it is dead.

    A name with our own process ID that we have not made is from a dead process, too: it had this ID before us.
    """
    match = OWNED_NAME.fullmatch(name)
    if match is None:
        return False
    pid = int(match[2])
    return match[1] not in _own_prefixes if pid == os.getpid() else not is_alive(pid)


def is_alive(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        status = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def check_node_names(nodes: Sequence[str], max_nodes: int) -> None:
    """Raise ConfigurationError unless `nodes` are 1 to `max_nodes` different names of letters, digits, "-" and "_"."""
    if not 1 <= len(nodes) <= max_nodes:
        raise ConfigurationError(f"a cluster of {len(nodes)} nodes cannot be emulated; name 1 to {max_nodes}")
    for node in nodes:
        if NODE_NAME.fullmatch(node) is None:
            raise ConfigurationError(f"invalid node name {node!r}; use letters, digits, - and _, for example edge-1")
    if len(set(nodes)) < len(nodes):
        raise ConfigurationError(f"nodes {', '.join(nodes)}: a name is repeated; give each node its own")
