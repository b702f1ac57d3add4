"""Cameras of a gateway, with what they say on the bus and what edges are told of them."""

from __future__ import annotations

import itertools

from gateway.cameras import registry as book
from gateway.cameras.registry import CameraRegistry
from gateway.configuration.root import Configuration
from gateway.state.state_folder import StateFolder
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.cluster import CameraAssignment, CameraStats, State
from shared.payloads.frames import FrameCounts
from tests.unit.gateway.buses import StandInBus

LISTENING = Address("10.0.0.1", 4000)
CAMERAS = {"door": {"fps": 5}, "yard": {"detect": {"enabled": False}}}
"""Those of most tests."""


class CameraHouse:
    """Cameras, what they say on the bus, and what else they tell."""

    def __init__(self, folder, **cameras):
        self.folder = folder
        self.bus = StandInBus()
        self.changed = []
        self.events = []
        self.cameras = CameraRegistry(
            self.configured(**cameras), StateFolder(folder), self.bus, LISTENING, self.changed.append,
            self.events.append,
        )  # fmt: skip

    def configured(self, profiles=None, **cameras):
        """Cameras by name, each with what is said of it beside its source; and profiles."""
        said = {name: {"source": "test://", **camera} for name, camera in cameras.items()}
        return Configuration.model_validate({"cameras": said, "state": str(self.folder), "profiles": profiles or {}})

    async def hear(self, camera="door", node="pi-1", **said):
        stats = CameraStats(camera=camera, node=node, counts=FrameCounts(), **{"state": State.ONLINE, **said})
        await self.bus.hear(topics.CAMERA_STATS, camera, stats)

    async def set(self, camera, setting, payload, **more):
        await self.bus.hear_plain(topics.CAMERA_SET, payload, camera, setting, **more)

    async def switch(self, camera, zone, payload, **more):
        await self.bus.hear_plain(topics.ZONE_SET, payload, camera, zone, **more)

    async def choose(self, profile, **more):
        await self.bus.hear_plain(topics.PROFILE_SET, profile, **more)

    def assigned(self, node):
        """What an edge that connects now is told to serve; None when nothing is retained for it."""
        said = self.bus.retained.get(f"cluster/cameras/{node}")
        return None if said is None else CameraAssignment.model_validate_json(said).cameras

    def told(self):
        return [(event.type, event.name, event.reason) for event in self.events]


def let_milliseconds_pass(monkeypatch):
    """Let it be another millisecond each time, as revisions are times."""
    milliseconds = itertools.count(1000)
    monkeypatch.setattr(book.time, "time_ns", lambda: next(milliseconds) * 1_000_000)
