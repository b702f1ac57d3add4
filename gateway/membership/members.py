"""The edges that the gateway knows, pure: their states and stats in, the public list of nodes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.engine.lanes import MAX_LANES
from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.payloads.cluster import NodeReport, Nodes, NodeState, NodeStats, State, TileCounts
from shared.payloads.versions import LINK_PROTOCOL, PROTOCOL, compatible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.cluster import UnreachedPeer

MAX_KNOWN_NODES = 1000
"""Edges that are remembered, present or not. It bounds the names that a faulty client can invent."""

NODE_RETURN_TIMEOUT_S = 40.0
"""Time that edges have to reconnect after a restart of the broker: twice their longest pause between two attempts."""


@dataclass(slots=True)
class _Member:
    """An edge. `reached`: its host and port when it was last online; None if it never was."""

    state: NodeState
    stats: NodeStats | None = None
    reached: tuple[str, int] | None = None


@dataclass(slots=True)
class Membership:
    """The edges and their states. `broker` is the address at which the gateway reaches the broker."""

    broker: Address
    _members: dict[str, _Member] = field(default_factory=dict)
    _awaited: dict[str, float] = field(default_factory=dict)
    _drained: set[str] = field(default_factory=set)

    def expect_all_nodes(self, now: float) -> None:
        """Expect a message of every online edge within NODE_RETURN_TIMEOUT_S from `now` (monotonic seconds).

        Called after a reconnect to the broker: an edge may have been lost meanwhile, and a broker that restarted does
        not publish its will.
        """
        self._awaited = {name: now for name, member in self._members.items() if member.state.state is State.ONLINE}

    def lost_nodes(self, now: float) -> tuple[NodeState, ...]:
        """Return the offline states of edges from which the expected message has not arrived in time."""
        late = [name for name, since in self._awaited.items() if now - since > NODE_RETURN_TIMEOUT_S]
        return tuple(self._members[name].state.model_copy(update={"state": State.OFFLINE}) for name in late)

    def on_state(self, node: NodeState) -> None:
        """Update the state of an edge."""
        self._awaited.pop(node.node, None)
        member = self._members.get(node.node)
        if member is None:
            if len(self._members) >= MAX_KNOWN_NODES and not self._forget_absent_node():
                return
            member = self._members[node.node] = _Member(node)
        member.state = node
        if node.state is State.ONLINE:
            member.reached = node.host, node.port

    def _forget_absent_node(self) -> bool:
        """Forget the absent edge that has been known longest; return whether one was absent."""
        gone = next((name for name, member in self._members.items() if member.state.state is not State.ONLINE), None)
        if gone is not None:
            del self._members[gone]
            self._awaited.pop(gone, None)
        return gone is not None

    def on_stats(self, stats: NodeStats) -> None:
        """Update the stats of an edge."""
        self._awaited.pop(stats.node, None)
        member = self._members.get(stats.node)
        if member is not None:
            member.stats = stats

    def online(self, node: str) -> NodeState | None:
        """Return the state of an admitted edge that is online; None for all others."""
        member = self._members.get(node)
        if member is None or self.refusal(member.state) or member.state.state is not State.ONLINE:
            return None
        return member.state

    def address(self, node: str) -> Address | None:
        """Return the address at which the gateway reaches an admitted edge; None for all others."""
        state = self.online(node)
        return Address(state.host, state.port).seen_from(self.broker) if state else None

    def last_address(self, node: str) -> Address | None:
        """Return the last address of an edge, also of an offline one; None for one that was never online."""
        member = self._members.get(node)
        return Address(*member.reached).seen_from(self.broker) if member and member.reached else None

    def ready_nodes(self, epoch: int) -> tuple[str, ...]:
        """Return the names of admitted edges that follow the plan of this epoch, sorted."""
        return tuple(
            name
            for name, member in sorted(self._members.items())
            if self.online(name) is not None
            and member.stats is not None
            and epoch in {member.stats.epoch, *member.stats.also}
        )

    @property
    def frames_under_way(self) -> float:
        """Return the number of frames under way at all edges: each last reported its mean over a second."""
        return sum(
            member.stats.frames
            for name, member in self._members.items()
            if member.stats is not None and self.online(name) is not None
        )

    def unreached(self, node: str) -> tuple[UnreachedPeer, ...]:
        """Return the addresses that an edge reports as unreachable."""
        member = self._members.get(node)
        return member.stats.unreached if member and member.stats else ()

    def lanes(self, node: str) -> int:
        """Return how many tiles a node computes at the same time, as it reported last."""
        member = self._members.get(node)
        return min(max(1, member.stats.lanes), MAX_LANES) if member and member.stats else 1

    def memory_bytes(self, node: str) -> int:
        """Return the bytes of memory that plans may use at a node, as it reported last; 0: unknown."""
        member = self._members.get(node)
        return member.stats.memory_bytes if member and member.stats else 0

    def kernels(self, node: str) -> Mapping[str, float]:
        """Return the costs of kinds of layers that a node has measured, relative to usual convolutions, by kind."""
        member = self._members.get(node)
        return member.stats.kernels if member and member.stats else {}

    @property
    def with_cameras(self) -> tuple[str, ...]:
        """Return the names of online edges whose cameras run, as they reported last, sorted."""
        return tuple(
            name
            for name, member in sorted(self._members.items())
            if self.online(name) is not None and member.stats is not None and member.stats.cameras
        )

    def drain_node(self, node: str) -> None:
        """Drain a node: it gets no tiles of other nodes and no cameras until it is resumed.

        Raises ConfigurationError when it is not online.
        """
        if self.online(node) is None:
            raise ConfigurationError(f"edge {node!r} not found; present: {', '.join(self.present) or 'none'}")
        self._drained.add(node)

    def resume_node(self, node: str) -> None:
        """Give a drained node work again."""
        self._drained.discard(node)

    def is_drained(self, node: str) -> bool:
        """Return whether a node is drained."""
        return node in self._drained

    @property
    def all_drained(self) -> frozenset[str]:
        """Return the drained nodes, present or not."""
        return frozenset(self._drained)

    @property
    def present(self) -> tuple[str, ...]:
        """Return the names of admitted edges that are online, sorted."""
        return tuple(name for name in sorted(self._members) if self.online(name) is not None)

    @property
    def has_older_nodes(self) -> bool:
        """Return whether an admitted edge that is online has an earlier release than this one.

        Edges of both releases speak the same version of the protocol, but only this release understands the next one.
        """
        return any(LINK_PROTOCOL not in self._members[name].state.understood for name in self.present)

    @property
    def serving_cameras(self) -> tuple[str, ...]:
        """Return the names of admitted edges that are online and may serve cameras, sorted."""
        return tuple(name for name in self.present if self._members[name].state.cameras)

    @staticmethod
    def refusal(node: NodeState) -> str:
        """Return the reason why an edge cannot take part; empty when it can."""
        if node.state is State.ONLINE and not compatible(node.protocol, node.understood):
            return (
                f"it speaks version {node.protocol} of the protocol, the gateway version {PROTOCOL}: "
                "install the same release of deepthings on both"
            )
        return ""

    def problems(self) -> tuple[str, ...]:
        """Return the problems that online edges report, a line for each."""
        online = [(name, self._members[name]) for name in self.present]
        return (
            *(f"edge {name} does not follow the plan: {member.stats.problem}"
              for name, member in online if member.stats is not None and member.stats.problem),
            *(f"edge {name} has no keys: everybody who can reach it can see its cameras, and send wrong results"
              for name, member in online if member.state.insecure),
        )  # fmt: skip

    def report(self, gateway_bytes: Mapping[str, int]) -> Nodes:
        """Return the public list of nodes; `gateway_bytes` are the bytes of the gateway's own traffic, by kind."""
        return Nodes(
            nodes={name: self._report(name, member) for name, member in sorted(self._members.items())},
            gateway_bytes=dict(gateway_bytes),
        )

    def _report(self, name: str, member: _Member) -> NodeReport:
        node, stats, reason = member.state, member.stats, self.refusal(member.state)
        online = node.state is State.ONLINE
        return NodeReport(
            state=State.REFUSED if reason else node.state,
            address=str(Address(node.host, node.port).seen_from(self.broker)) if online else "",
            version=node.version,
            epoch=stats.epoch if stats and online else 0,
            tiles=stats.tiles if stats else TileCounts(),
            bytes=stats.bytes if stats else {},
            cameras=stats.cameras if stats and online else (),
            tiles_per_s=stats.tiles_per_s if stats and online else 0.0,
            load=stats.load if stats and online else None,
            cores=stats.cores if stats and online else 0,
            threads=stats.threads if stats and online else 0,
            lanes=stats.lanes if stats and online else 1,
            usable_cores=stats.usable_cores if stats and online else 0.0,
            memory_bytes=stats.memory_bytes if stats and online else 0,
            temperature=stats.temperature if stats and online else None,
            reason=reason,
            drained=self.is_drained(name),
            problem=stats.problem if stats and online else "",
        )
