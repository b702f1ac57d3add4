"""The default ports of a gateway, for firewalls, containers and commands."""

from __future__ import annotations

PUBLIC_PORT = 1883
"""The usual port of MQTT: for people and automations, where the home has no other broker."""

PUBLIC_TLS_PORT = 8883
"""The usual port of MQTT with TLS: for people and automations."""

CLUSTER_PORT = 7883
"""MQTT between the gateway and its edges."""

CLUSTER_TLS_PORT = 7886
"""MQTT with TLS between the gateway and the edges that have joined."""

DATA_PORT = 7884
"""The gateway's data plane: tiles, results and programs."""

JOIN_PORT = 7885
"""Devices join the cluster at this port, which is open only while there is an invitation."""

PAGE_PORT = 8095
"""The gateway's page in a browser."""
