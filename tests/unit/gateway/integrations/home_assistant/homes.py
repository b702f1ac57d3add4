"""Configurations and nodes for the tests of discovery."""

from __future__ import annotations

from typing import Any

from gateway.configuration.root import Configuration
from shared.payloads.cluster import NodeReport, Nodes, State

AREA = ((0, 0), (1, 0), (1, 1))


def home_of(**more: Any) -> Configuration:
    """A front door with a yard, and a garage where cars count, too."""
    cameras = {
        "front_door": {
            "source": "rtsp://me:geheim@127.0.0.1/door", "zones": {"front_yard": {"coordinates": AREA}},
        },
        "garage": {
            "source": "test://", "friendly_name": "Big garage", "objects": {"track": ("person", "traffic light")},
            "zones": {
                "gate": {"coordinates": AREA, "objects": ("person",), "loitering_time": 2},
                "roof": {"coordinates": AREA},
            },
        },
    }  # fmt: skip
    return Configuration.model_validate({"cameras": cameras, **more})


def nodes_of(*names: str) -> Nodes:
    return Nodes(nodes={name: NodeReport(state=State.ONLINE, address="", version="0.9") for name in names})
