"""What a gateway tells, for tests of the report on it."""

from __future__ import annotations

from shared.mqtt import topics
from shared.payloads.bridge import BridgeHealth, BridgeInfo, FrameTime, PlanInfo
from shared.payloads.cluster import BridgeState, CameraStats, Identity, NodeReport, Nodes, State, TileCounts
from shared.payloads.frames import FrameCounts
from shared.status.cluster_facts import ClusterFacts

NOW = 1795424400.0
GATEWAY = BridgeState(
    state=State.ONLINE, protocol=5, version="1.2.0", identity=Identity(device="nas", address="192.168.1.5")
)
INFO = BridgeInfo(
    version="1.2.0", protocol=5, topic_prefix="deepthings", model="nanodet-g", labels=("person",),
    plan=PlanInfo(epoch=1, method="whole", grid="1x1", cut=("c",), tiles=1),
    cameras=("front_door", "garden"),
)  # fmt: skip
BUSY = FrameTime(
    total_ms=310, camera_ms=4, preparing_ms=1, waiting_ms=190, computing_ms=80, transfers_ms=25, finishing_ms=10
)
HEALTH = BridgeHealth(
    at=NOW - 20, up_s=90_000, frames_per_s=9.87, published=852_114, dropped=1290, nodes_online=2, cameras_online=1,
    cameras=2, problems=("camera garden: no picture for 30 s",), frame_time=BUSY,
)  # fmt: skip
ATTIC = NodeReport(
    state=State.ONLINE, address="192.168.1.31:7701", version="1.2.0", tiles=TileCounts(own=422, stolen=214),
    tiles_per_s=31.4, load=0.52, cores=4, threads=2, lanes=2, usable_cores=3.5, memory_bytes=412 * 2**20,
    temperature=61.5, cameras=("front_door",), computable_per_s=16.4, profile_per_s=20.5,
)  # fmt: skip
SHED = NodeReport(state=State.ONLINE, address="192.168.1.32:7701", version="1.1.0", tiles=TileCounts(stolen=9))
HALL = NodeReport(state=State.OFFLINE, address="", version="1.2.0")
DOOR = CameraStats(
    camera="front_door", node="attic", state=State.ONLINE, fps=5.0, width=768, height=576, published_per_s=4.9,
    counts=FrameCounts(captured=1291, published=1270, dropped={"superseded": 19, "deadline": 1}), assigned=True,
)  # fmt: skip
GARDEN = CameraStats(
    camera="garden", node="attic", state=State.OFFLINE, reason="no picture for 30 s", counts=FrameCounts()
)  # fmt: skip


def facts_of(*, bridge=GATEWAY, info=INFO, health=HEALTH, cameras=(DOOR, GARDEN), **nodes):
    """All that is retained of a gateway, as if it had been heard; None is for what is not there."""
    facts = ClusterFacts()
    told = {
        topics.BRIDGE_STATE: bridge, topics.BRIDGE_INFO: info, topics.BRIDGE_HEALTH: health,
        topics.BRIDGE_NODES: Nodes(nodes=nodes or {"attic": ATTIC, "hall": HALL, "shed": SHED}),
    }  # fmt: skip
    for topic, message in told.items():
        if message is not None:
            facts.on_message(topic.full_path(), message.model_dump_json().encode())
    for stats in cameras:
        facts.on_message(topics.CAMERA_STATS.full_path(stats.camera), stats.model_dump_json().encode())
    return facts
