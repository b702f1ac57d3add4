"""Method `auto`: offers a plan of whole frames, and one of tiles if that is faster, and prefers one of them by load."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.plan_choice import Division, PlanChoice, Prediction
from gateway.planning.methods import Method
from gateway.planning.plan_prediction import predict_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cluster.measured_devices import MeasuredDevices
    from gateway.cluster.running_plans import RunningPlan, RunningPlans
    from gateway.membership.members import Membership
    from gateway.planning.profiles import ClusterProfile

log = logging.getLogger(__name__)

MIN_DIVIDING_NODES = 2
"""The smallest number of nodes among which a frame can be divided."""

MIN_OFFER_GAIN = 0.9
"""Edges prepare tiles as soon as these are predicted to take less than this part of a whole frame's time."""


class AutomaticPlans:
    """Decides which of two running plans new frames follow: `whole` frames or `tiles`. `tiles` None: only `whole`.

    `takes_tiles` returns whether a node gets tiles of other nodes; predictions leave the other nodes out.
    """

    def __init__(
        self,
        whole: RunningPlan,
        tiles: RunningPlan | None,
        plans: RunningPlans,
        members: Membership,
        devices: MeasuredDevices,
        takes_tiles: Callable[[str], bool],
    ) -> None:
        self._whole = whole
        self._tiles = tiles
        self._plans = plans
        self._members = members
        self._devices = devices
        self._takes_tiles = takes_tiles
        self._choice = PlanChoice()
        self._nodes: tuple[str, ...] = ()
        # The latest prediction, and what it was made for: the devices, the nodes for whole frames, the epoch of tiles.
        self._predicted_for: tuple[ClusterProfile, tuple[str, ...], int] | None = None
        self._prediction = Prediction(None, None)
        if tiles is not None:
            tiles.held_back = True

    @property
    def tiles(self) -> RunningPlan | None:
        """Return the plan of tiles; None when there is none."""
        return self._tiles

    def replace_tiles(self, tiles: RunningPlan) -> None:
        """Choose between whole frames and these tiles from now on.

        Edges prepare them once they are predicted to pay.
        """
        tiles.held_back = True
        self._tiles = tiles
        self._choice.forget_measurements()

    def add_frame(self, running: RunningPlan, seconds: float) -> None:
        """Note how long a frame took, from its first task to its objects."""
        if running is self._tiles:
            self._choice.add_tiled_frame(seconds)

    def update(self) -> bool:
        """Choose again by the current load and speeds; return whether the plans must be published.

        Called periodically.
        """
        if self._tiles is None:
            return False
        reordered = self._serve_older_nodes(self._tiles)
        nodes = self._computing_nodes(self._whole)
        in_tiles = self._computing_nodes(self._tiles)
        if nodes != self._nodes:
            self._nodes = nodes
            self._choice.forget_measurements()
        prediction = self._predict(self._tiles, nodes, in_tiles)
        offered = self._offer_tiles(self._tiles, prediction) or reordered
        frames, now = self._members.frames_under_way, time.monotonic()
        if self._tiles.held_back or not in_tiles:
            self._choice.follow_load(frames, now)
            return self._plans.prefer(self._whole.epoch) or offered
        if not nodes and self._lacks_memory():  # no device can hold the whole network
            self._choice.follow_load(frames, now)
            return self._plans.prefer(self._tiles.epoch) or offered
        division = self._choice.update(frames, prediction, now)
        wanted = self._tiles if division is Division.TILES else self._whole
        changed = self._plans.prefer(wanted.epoch)
        if changed:
            log.info(
                "new frames are computed %s: %.1f frames under way", "in tiles" if wanted is self._tiles else "whole",
                self._choice.load,
            )  # fmt: skip
        return changed or offered

    def _computing_nodes(self, running: RunningPlan) -> tuple[str, ...]:
        """Return the nodes that are ready for a plan and compute tiles of others."""
        return tuple(node for node in self._members.ready_nodes(running.epoch) if self._takes_tiles(node))

    def _serve_older_nodes(self, tiles: RunningPlan) -> bool:
        """Offer tiles first while there are edges of the release before, which cannot compute whole frames.

        Return whether that has changed.
        """
        older = self._members.has_older_nodes
        changed = tiles.first != older
        tiles.first = older
        if older:
            tiles.held_back = False
        return changed

    def _offer_tiles(self, tiles: RunningPlan, prediction: Prediction) -> bool:
        """Let edges prepare tiles when these are predicted to pay, or an edge has too little memory for whole frames.

        Return whether that has changed.
        """
        lacks = self._lacks_memory()
        pays = (
            prediction.whole is not None
            and prediction.tiled is not None
            and prediction.tiled < MIN_OFFER_GAIN * prediction.whole
        )
        if not (tiles.held_back and (pays or lacks)):
            return False
        tiles.held_back = False
        if lacks:
            log.info("edges prepare tiles, too: %s has too little memory for whole frames", lacks)
            return True
        log.info("edges prepare tiles, too: a frame should take %.0f %% of its time", 100 * _ratio(prediction))
        return True

    def _lacks_memory(self) -> str:
        """Return a present device that has too little memory for the whole network; empty when there is none."""
        needed = self._whole.partitioned.costs.memory_bytes
        known = ((node, self._members.memory_bytes(node)) for node in self._members.present if self._takes_tiles(node))
        return next((node for node, size in known if 0 < size < needed), "")

    def _predict(self, tiles: RunningPlan, nodes: tuple[str, ...], in_tiles: tuple[str, ...] = ()) -> Prediction:
        """Return the times of one frame alone, from the measured speeds of the nodes that compute it.

        `nodes` compute whole frames; `in_tiles` compute tiles, and may include nodes that compute tiles only.
        """
        together = tuple(sorted({*nodes, *in_tiles}))
        cluster = self._devices.describe(together, time.monotonic())
        if cluster is None:
            return Prediction(None, None)
        described = cluster, nodes, tiles.epoch
        if described != self._predicted_for:  # called several times a second, so that what is unchanged is kept
            self._predicted_for = described
            self._prediction = self._predict_for(cluster, nodes, tiles)
        return self._prediction

    def _predict_for(self, cluster: ClusterProfile, nodes: tuple[str, ...], tiles: RunningPlan) -> Prediction:
        whole = predict_plan(Method.WHOLE, self._whole.partitioned.costs, cluster.in_order(nodes))
        if len(cluster.devices) < MIN_DIVIDING_NODES:
            return Prediction(whole.latency_s, None)
        tiled = predict_plan(tiles.partitioned.method, tiles.partitioned.costs, cluster.in_order(tiles.nodes))
        return Prediction(whole.latency_s, tiled.latency_s)


def _ratio(prediction: Prediction) -> float:
    return (prediction.tiled or 0.0) / (prediction.whole or 1.0)
