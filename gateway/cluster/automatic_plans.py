"""Method `auto`: offers whole frames, and tiles beside them when these pay; prefers one of both by load."""

from __future__ import annotations

import logging
import time
from statistics import median
from typing import TYPE_CHECKING

from gateway.cluster.plan_choice import Division, PlanChoice, Prediction
from shared.ftp.macs import macs_of
from shared.mqtt.client_ids import OWN_NODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cluster.link_rates import LinkRates
    from gateway.cluster.running_plans import RunningPlan, RunningPlans
    from gateway.cluster.speeds import NodeSpeeds
    from gateway.membership.members import Membership

log = logging.getLogger(__name__)

TILE_HANDLING_S = 0.004
"""Time that a tile costs its node besides computing: messages, and waiting for the next tile."""

HALO_LOSS = 1.15
"""Measured times of tiles, relative to their operations: small maps are computed less efficiently."""

MIN_OFFER_GAIN = 0.9
"""Tiles are prepared once they are predicted to take less than this part of a whole frame's time."""


class AutomaticPlans:
    """Decides which of two running plans new frames follow: `whole` frames, or `tiles`; None: there is no choice.

    `takes_tiles` returns whether a node gets tiles of other nodes; those that do not are no part of a prediction.
    """

    def __init__(
        self,
        whole: RunningPlan,
        tiles: RunningPlan | None,
        plans: RunningPlans,
        members: Membership,
        speeds: NodeSpeeds,
        links: LinkRates,
        takes_tiles: Callable[[str], bool],
    ) -> None:
        self._whole = whole
        self._tiles = tiles
        self._plans = plans
        self._members = members
        self._speeds = speeds
        self._links = links
        self._takes_tiles = takes_tiles
        self._choice = PlanChoice()
        self._nodes: tuple[str, ...] = ()
        if tiles is not None:
            tiles.held_back = True

    def add_frame(self, running: RunningPlan, seconds: float) -> None:
        """Note how long a frame took from its first task to its objects."""
        if running is self._tiles:
            self._choice.add_tiled_frame(seconds)

    def update(self) -> bool:
        """Follow load and speeds: called periodically. Return whether something must be published."""
        if self._tiles is None:
            return False
        reordered = self._serve_older_nodes(self._tiles)
        nodes = self._computing_nodes(self._whole)
        if nodes != self._nodes:
            self._nodes = nodes
            self._choice.forget_measurements()
        prediction = self._predict(self._tiles, nodes)
        offered = self._offer_tiles(self._tiles, prediction) or reordered
        frames, now = self._members.frames_under_way, time.monotonic()
        if self._tiles.held_back or not self._computing_nodes(self._tiles):
            self._choice.follow_load(frames, now)
            return self._plans.prefer(self._whole.epoch) or offered
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
        """Offer tiles first while there are edges of the release before: whole frames are not for them."""
        older = self._members.has_older_nodes
        changed = tiles.first != older
        tiles.first = older
        if older:
            tiles.held_back = False
        return changed

    def _offer_tiles(self, tiles: RunningPlan, prediction: Prediction) -> bool:
        """Let edges prepare tiles when these are predicted to pay; return whether that has changed."""
        pays = (
            prediction.whole is not None
            and prediction.tiled is not None
            and prediction.tiled < MIN_OFFER_GAIN * prediction.whole
        )
        if not (tiles.held_back and pays):
            return False
        tiles.held_back = False
        log.info("edges prepare tiles, too: a frame should take %.0f %% of its time", 100 * _ratio(prediction))
        return True

    def _predict(self, tiles: RunningPlan, nodes: tuple[str, ...]) -> Prediction:
        """Return the times of one frame alone, from the measured speeds of the nodes.

        A node that has not measured its speed, of the release before, counts as fast as the others.
        """
        known = {node: speed for node in nodes if (speed := self._speeds.speed_of(node)) is not None}
        if not known:
            return Prediction(None, None)
        speeds = dict.fromkeys(nodes, median(known.values())) | known
        whole_s = self._whole.plan.stages[0].tiles[0].macs / max(speeds.values())
        if len(speeds) < 2:
            return Prediction(whole_s, None)
        stage = tiles.plan.stages[0]
        macs = sum(tile.macs for tile in stage.tiles)
        network = tiles.partitioned.model.network
        tail_macs = macs_of(network, network.layers) - macs_of(network, tiles.partitioned.stage.layers)
        # The tail runs on the gateway's cores, also while its own node gets no tiles.
        gateway = self._speeds.speed_of(OWN_NODE) or sorted(speeds.values())[len(speeds) // 2]
        pixels = sum(3 * (tile.inputs[0][2] - tile.inputs[0][0]) * (tile.inputs[0][3] - tile.inputs[0][1])
                     for tile in stage.tiles)  # fmt: skip
        results = sum(
            4 * channels * (box[2] - box[0]) * (box[3] - box[1])
            for tile in stage.tiles
            for channels, box in zip(stage.channels, tile.outputs, strict=True)
        )
        others = (len(speeds) - 1) / len(speeds)
        tiled_s = (
            HALO_LOSS * macs / sum(speeds.values())
            + TILE_HANDLING_S * len(stage.tiles) / len(speeds)
            + (others * pixels + results) / self._links.slowest(time.monotonic(), nodes)
            + tail_macs / gateway
        )
        return Prediction(whole_s, tiled_s)


def _ratio(prediction: Prediction) -> float:
    return (prediction.tiled or 0.0) / (prediction.whole or 1.0)
