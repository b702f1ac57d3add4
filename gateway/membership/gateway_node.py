"""The name of the node by which the gateway's own cores take part."""

from __future__ import annotations

GATEWAY_NODE = "gateway"
"""An edge without cameras that the gateway starts on its own machine, see gateway.cluster.own_node."""
