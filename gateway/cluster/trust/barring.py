"""Bars nodes that compute wrongly or fail, and publishes their standings to them and to people."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.trust.standings import Standings
from shared.payloads.bridge import BridgeEventType
from shared.payloads.cluster import MAX_REASON_LENGTH, NodeReport, Nodes, NodeStanding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.cluster.collector import Assembly
    from gateway.cluster.trust.attribution import NodeFault
    from gateway.cluster.trust.verification import VerificationResult
    from gateway.membership.members import Membership

log = logging.getLogger(__name__)


class Barring:
    """Keeps the standings of nodes and publishes their changes.

    `on_barred(node)` is called with a node that may not compute any more; `publish(standing)` publishes a standing to
    its node; `publish_event(type, node, reason)` publishes an event of the bridge.
    """

    def __init__(
        self,
        members: Membership,
        on_barred: Callable[[str], None],
        publish: Callable[[NodeStanding], None],
        publish_event: Callable[[BridgeEventType, str, str], None],
    ) -> None:
        self._members = members
        self._on_barred = on_barred
        self._publish = publish
        self._publish_event = publish_event
        self._standings = Standings()

    def may_compute(self, node: str) -> bool:
        """Return whether a node may get tiles, and its results may be used."""
        return not self._standings.is_barred(node)

    def takes_tiles(self, node: str) -> bool:
        """Return whether a node gets tiles of other nodes: it is neither barred nor drained."""
        return self.may_compute(node) and not self._members.is_drained(node)

    def able_nodes(self, epoch: int) -> frozenset[str] | None:
        """Return the nodes that follow this plan and may compute; None if there are none, and none is barred either.

        None means that edges are only about to follow the plan; an empty set, that no node can compute.
        """
        barred = self._standings.all_barred
        able = frozenset(self._members.ready_nodes(epoch)) - barred
        return able if able or barred else None

    def on_tile_failed(self, node: str, reason: str) -> None:
        """Note that a node failed to compute a tile; bar it after several failures in a row."""
        if self.may_compute(node) and self._standings.on_failure(node, reason, time.monotonic()):
            self._bar(node)

    def on_tile_computed(self, node: str) -> None:
        """Note that a node computed a tile."""
        self._standings.on_success(node)

    def on_wrong_tiles(self, assembly: Assembly, found: Mapping[str, NodeFault], result: VerificationResult) -> None:
        """Bar the nodes that computed wrong tiles of a frame. The frame itself is already published."""
        for node, fault in found.items():
            tiles = ", ".join(str(tile) for tile in fault.tiles)
            reason = (
                f"computed tile {tiles} of {assembly.info.frame} wrongly: it differs by {fault.difference:.3g}; "
                f"the standard deviation of the maps is {result.difference.map_std:.3g}"
            )
            if node != assembly.owner:  # the owner may have sent another picture than it shows
                reason += f"; its picture is that of edge {assembly.owner}"
            if self._standings.on_wrong_tile(node, reason, time.monotonic()):
                self._bar(node)

    def is_suspected(self, assembly: Assembly) -> bool:
        """Return whether a node on probation computed a tile of a frame."""
        now = time.monotonic()
        return any(self._standings.on_probation(node, now) for node in set(assembly.workers.values()))

    def on_test_passed(self, node: str, trial: int) -> None:
        """Note that a node has prepared its programs again and passed its test."""
        self._standings.on_test_passed(node, trial)

    def lift_bars(self) -> None:
        """Lift the bars of nodes that have passed their test and waited long enough, and publish that."""
        for node in self._standings.lift_bars(time.monotonic()):
            log.info("edge %s has passed its test and gets work again", node)
            self.publish_standing(node)
            self._publish_event(BridgeEventType.NODE_TRUSTED, node, "")

    def publish_standing(self, node: str) -> None:
        """Publish a node's standing to it."""
        reason = self._standings.reason(node)[: 2 * MAX_REASON_LENGTH]
        barred, trial = self._standings.is_barred(node), self._standings.trial(node)
        self._publish(NodeStanding(node=node, barred=barred, trial=trial, reason=reason))

    def add_standings(self, report: Nodes) -> Nodes:
        """Return the list of nodes with their failed tiles and the reasons of bars."""
        nodes = {name: self._add_standing(name, node) for name, node in report.nodes.items()}
        return Nodes(nodes=nodes, gateway_bytes=report.gateway_bytes)

    def _add_standing(self, name: str, node: NodeReport) -> NodeReport:
        known = {"failed": self._standings.failed_tiles(name), "barred": self._standings.reason(name)}
        return node.model_copy(update=known)

    def problems(self) -> tuple[str, ...]:
        """Return the problems of nodes, a line for each."""
        present = self._members.present
        problems = (*self._standings.problems(present), *self._members.problems())
        if present and self._standings.all_barred.issuperset(present):
            problems = (
                *problems,
                "no edge may compute: all are barred, and frames are dropped; look at the problem of each edge",
            )
        return problems

    def _bar(self, node: str) -> None:
        reason = self._standings.reason(node)
        log.warning("edge %s %s; it gets no work until it has passed a test", node, reason)
        self._on_barred(node)
        self.publish_standing(node)
        self._publish_event(BridgeEventType.NODE_BARRED, node, reason)
