"""The default ports of a gateway, for firewalls, containers and commands."""

from __future__ import annotations

PUBLIC_PORT = 1883
"""MQTT for people and automations where the home has no other broker: the usual port."""

PUBLIC_TLS_PORT = 8883
"""The same, encrypted."""

CLUSTER_PORT = 7883
"""MQTT between the gateway and its edges."""

CLUSTER_TLS_PORT = 7886
"""The same, encrypted: for edges that have joined."""

DATA_PORT = 7884
"""Tiles and results between the gateway and its edges."""

JOIN_PORT = 7885
"""Devices join the cluster here; open while an invitation is."""

PAGE_PORT = 8095
"""The gateway's page, for a browser of its own machine."""
