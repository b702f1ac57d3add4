"""The name that a device has without being given one."""

from __future__ import annotations

import re
import socket


def default_edge_name() -> str:
    """Return the host's name, with all characters that are invalid in a topic replaced."""
    return re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().split(".")[0].lower()).strip("-_")[:63] or "edge"
