"""The report on a cluster: the output of `deepthings status --json`, made from the received messages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from shared.payloads.base import Message
from shared.payloads.bridge import FrameTime
from shared.payloads.cluster import NodeReport, State, TileCounts
from shared.status.cluster_gain import ClusterGain, cluster_gain, explain_gain
from shared.status.cures import find_cure
from shared.status.frame_explanation import explain_frame_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.payloads.bridge import BridgeHealth
    from shared.payloads.cluster import BridgeState, CameraStats
    from shared.status.cluster_facts import ClusterFacts

GATEWAY_SILENT_AFTER_S = 180.0
"""A gateway publishes its health once a minute; after three missing messages it may have ended."""


class GatewayStatus(Message):
    """The gateway; numbers are null until it has published them."""

    release: str
    device: str = Field(description="its device, and that device's address")
    broker: str = Field(description="the broker that the report comes from")
    model: str = ""
    method: str = ""
    grid: str = ""
    up_s: float | None = Field(default=None, description="seconds since it started")
    frames_per_s: float | None = Field(default=None, description="published, over the last minute")
    published: int | None = None
    dropped: int | None = None
    frame_time: FrameTime | None = Field(default=None, description="medians of where the time of a frame goes")
    frame_time_in_words: str = Field(default="", description="why a frame takes as long as it does; empty: not known")
    gain: ClusterGain | None = Field(default=None, description="what the devices can compute; null: not measured yet")
    gain_in_words: str = Field(default="", description="the same; empty: no device computes")


class EdgeStatus(Message):
    """One edge."""

    state: State
    release: str
    same_release: bool = Field(description="true: the same as the gateway's")
    address: str = ""
    cores: int | None = Field(default=None, description="of its processor")
    cores_busy: float | None = Field(default=None, description="of these, busy recently with any program")
    threads: int | None = Field(default=None, description="that compute tiles")
    lanes: int | None = Field(default=None, description="tiles that it computes at the same time")
    usable_cores: float | None = Field(default=None, description="cores that it may use: its share of the processor")
    memory_bytes: int | None = Field(default=None, description="memory that plans may use there")
    tiles: TileCounts = Field(default=TileCounts(), description="computed since it started")
    tiles_per_s: float = Field(default=0.0, description="over the last ten seconds")
    computable_per_s: float | None = Field(
        default=None, description="whole frames that it could compute, by its measured speed"
    )
    temperature: float | None = Field(default=None, description="of its processor, in degrees Celsius")
    cameras: tuple[str, ...] = ()


class CameraStatus(Message):
    """One camera."""

    edge: str = Field(default="", description="the edge that serves it; empty: none")
    state: Literal["online", "offline", "unknown"] = "unknown"
    reason: str = Field(default="", description="why it is offline, or a problem although it is online")
    configured: bool = Field(description="true: it is in the gateway's configuration; false: it was started by hand")
    frames_per_s: float | None = Field(default=None, description="published, over the last ten seconds")
    source_fps: float | None = Field(default=None, description="pictures a second that it delivers")
    width: int | None = None
    height: int | None = None
    published: int = 0
    dropped: int = 0


class Problem(Message):
    """A problem and its cure."""

    what: str
    cure: str = Field(default="", description="what to do; empty: `what` includes it, or it is not known")


class Status(Message):
    """A cluster at one moment."""

    at: float = Field(description="seconds since 1970")
    gateway: GatewayStatus
    edges: dict[str, EdgeStatus]
    edges_left_out: int = Field(default=0, description="edges that the gateway could not list, as there are too many")
    cameras: dict[str, CameraStatus]
    problems: tuple[Problem, ...]


def build_status(facts: ClusterFacts, gateway: BridgeState, broker: str, at: float) -> Status:
    """Return the report on the cluster of an online gateway; `at` is in seconds since 1970."""
    nodes = facts.nodes.nodes if facts.nodes else {}
    left_out = facts.nodes.left_out if facts.nodes else 0
    configured = facts.info.cameras if facts.info else ()
    edges = {name: _edge(node, gateway.version) for name, node in sorted(nodes.items())}
    return Status(
        at=at,
        gateway=_gateway(facts, gateway, broker),
        edges=edges,
        edges_left_out=left_out,
        cameras={
            name: _camera(facts.cameras.get(name), configured=name in configured)
            for name in sorted({*configured, *facts.cameras})
        },
        problems=tuple(Problem(what=what, cure=find_cure(what)) for what in _problems(facts, gateway, at)),
    )


def _gateway(facts: ClusterFacts, gateway: BridgeState, broker: str) -> GatewayStatus:
    info, health = facts.info, facts.health
    nodes = facts.nodes.nodes if facts.nodes else {}
    rates = {name: node.computable_per_s for name, node in nodes.items() if _computes(node)}
    gain = cluster_gain(rates, info.plan.work if info else 1.0)
    time = health.frame_time if health else None
    return GatewayStatus(
        release=gateway.version,
        device=str(gateway.identity),
        broker=broker,
        model=info.model if info else "",
        method=info.plan.method if info else "",
        grid=info.plan.grid if info else "",
        up_s=health.up_s if health else None,
        frames_per_s=health.frames_per_s if health else None,
        published=health.published if health else None,
        dropped=health.dropped if health else None,
        frame_time=time,
        frame_time_in_words=explain_frame_time(time, whole=bool(info and info.plan.tiles == 1)) if time else "",
        gain=gain,
        gain_in_words=explain_gain(gain, tuple(rates)),
    )


def _computes(node: NodeReport) -> bool:
    return node.state is State.ONLINE and not node.barred and not node.drained


def _edge(node: NodeReport, release: str) -> EdgeStatus:
    busy = round(node.load * node.cores, 1) if node.load is not None and node.cores else None
    return EdgeStatus(
        state=node.state,
        release=node.version,
        same_release=node.version == release,
        address=node.address,
        cores=node.cores or None,
        cores_busy=busy,
        threads=node.threads or None,
        lanes=node.lanes if node.threads else None,
        usable_cores=round(node.usable_cores, 2) if node.usable_cores else None,
        memory_bytes=node.memory_bytes or None,
        tiles=node.tiles,
        tiles_per_s=node.tiles_per_s,
        computable_per_s=node.computable_per_s,
        temperature=node.temperature,
        cameras=node.cameras,
    )


def _camera(stats: CameraStats | None, *, configured: bool) -> CameraStatus:
    if stats is None:
        return CameraStatus(configured=configured)
    offline = stats.ended or stats.state is State.OFFLINE
    return CameraStatus(
        edge=stats.node,
        state="offline" if offline else "online" if stats.state is State.ONLINE else "unknown",
        reason=stats.reason,
        configured=configured,
        frames_per_s=None if offline else stats.published_per_s,
        source_fps=stats.fps or None,
        width=stats.width or None,
        height=stats.height or None,
        published=stats.counts.published,
        dropped=sum(stats.counts.dropped.values()),
    )


def _problems(facts: ClusterFacts, gateway: BridgeState, at: float) -> Iterator[str]:
    """Yield the problems that the gateway reports, then those that a comparison of all messages shows."""
    if facts.health is not None:
        yield from facts.health.problems
        yield from _silence_problems(facts.health, at)
    for name, node in sorted(facts.nodes.nodes.items()) if facts.nodes else ():
        if node.state is State.OFFLINE:
            yield f"edge {name} is offline"
        elif node.state is State.REFUSED:
            yield f"edge {name} is refused: {node.reason}"
        elif node.version != gateway.version:
            yield f"edge {name} has release {node.version or 'unknown'}, the gateway {gateway.version or 'unknown'}"
    for topic in sorted(facts.unreadable):
        yield f"the gateway's message at {topic} cannot be read"


def _silence_problems(health: BridgeHealth, at: float) -> Iterator[str]:
    if at - health.at > GATEWAY_SILENT_AFTER_S:
        minutes = f"{(at - health.at) / 60:.0f} minutes"
        yield f"the gateway has not published for {minutes}, by the clocks of both devices"
