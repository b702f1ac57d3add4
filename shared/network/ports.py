"""The ports of a gateway, for firewalls, containers and commands: none is another without being told."""

from __future__ import annotations

PUBLIC_PORT = 1883
"""MQTT for people and automations, where the house has no broker: the port that all of them expect."""

PUBLIC_TLS_PORT = 8883
"""The same, encrypted."""

CLUSTER_PORT = 7883
"""MQTT between the gateway and its edges."""

DATA_PORT = 7884
"""Tiles and results between the gateway and its edges."""
