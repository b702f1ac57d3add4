"""A home behind the detections, on a stand-in bus, with what a test lets happen to it."""

from __future__ import annotations

import asyncio
import contextlib
import json

from gateway.configuration.root import Configuration
from gateway.home import Home
from gateway.membership.members import Membership
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.bridge import BridgeInfo, PlanInfo, Response
from shared.payloads.cluster import CameraStats, NodeState, State
from shared.payloads.frames import FrameCounts
from shared.payloads.versions import PROTOCOL
from tests.unit.gateway.buses import StandInBus

INFO = BridgeInfo(
    version="1", protocol=PROTOCOL, topic_prefix="deepthings", model="nanodet-g", labels=("person",),
    plan=PlanInfo(epoch=3, method="ftp-wst", grid="3x3", cut=("concat_28",), tiles=9),
)  # fmt: skip

TOLD = INFO.model_copy(update={"cameras": ("door",), "home_assistant": True})


class House:
    """A Home on a stand-in bus, with edges that come and go and a configuration file that changes."""

    def __init__(self, folder, **cameras):
        self.folder = folder
        self.bus = StandInBus()
        self.members = Membership(Address("10.0.0.1", 1883))
        self.file = self.configuration(**cameras)
        self.home = Home(self.file, self.bus, self.members, Address("10.0.0.1", 4000), self.read, lambda: INFO)

    def read(self):
        if isinstance(self.file, Exception):
            raise self.file
        return self.file

    def configuration(self, cameras=("door",), **sections):
        said = {name: {"source": "test://"} for name in cameras} if isinstance(cameras, tuple) else cameras
        return Configuration.model_validate({"cameras": said, "state": str(self.folder), **sections})

    async def edges(self, *there, gone=()):
        for name in there:
            self.members.on_state(NodeState(node=name, state=State.ONLINE, protocol=PROTOCOL, host="h", port=1))
        for name in gone:
            self.members.on_state(NodeState(node=name, state=State.OFFLINE, protocol=PROTOCOL))
        await self.home.on_nodes(self.members.report({}))

    async def hear(self, camera="door", node="pi-1", **said):
        stats = CameraStats(camera=camera, node=node, counts=FrameCounts(), **{"state": State.ONLINE, **said})
        await self.bus.hear(topics.CAMERA_STATS, camera, stats)

    async def ask(self, command, **said):
        await self.bus.hear_plain(topics.REQUEST, json.dumps(said).encode(), command)
        return Response.model_validate_json(self.bus.payloads(f"bridge/response/{command}")[-1])

    def served(self, node):
        return set(json.loads(self.bus.retained[f"cluster/cameras/{node}"])["cameras"])


@contextlib.asynccontextmanager
async def running(service):
    task = asyncio.create_task(service)
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended
