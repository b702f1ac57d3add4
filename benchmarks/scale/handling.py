"""Computes the handling of a frame: its CPU time beyond the steps that a single program without a cluster needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.running import GATEWAY_NODE
from benchmarks.scale.scale_rows import ScaleResult
from gateway.models.catalogue import choose_cut, open_model
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.scale.bare_figures import BareFigures
    from benchmarks.scale.cluster_window import ClusterWindow

OWNER_GOAL_MS, GATEWAY_GOAL_MS = 1.5, 1.2
"""Goals: the most CPU time for handling one frame, in milliseconds."""


def handling_result(
    window: ClusterWindow,
    model: str,
    plan: Mapping[str, Any],
    loop: BareFigures,
    session: BareFigures,
    owner: str,
) -> ScaleResult:
    """Return the row for frames of one owner. `loop`, `session`: figures of the bare device."""
    tail = tail_share(model, plan)
    used = {node: window.core_ms(node) for node in (owner, GATEWAY_NODE)}
    if None in used.values():
        return ScaleResult("handling", "no frame was published", reached=False)
    needed = reference_ms(loop, session, tail, window.share_computed_by(GATEWAY_NODE))
    beyond = {node: (used[node] or 0.0) - part for node, part in zip((owner, GATEWAY_NODE), needed, strict=True)}
    measured = f"{beyond[owner]:.1f} / {beyond[GATEWAY_NODE]:.1f} core-ms"
    remark = (
        f"used {used[owner]:.1f} / {used[GATEWAY_NODE]:.1f}, the reference's steps {needed[0]:.1f} / {needed[1]:.1f}; "
        f"the tail is {tail:.0%} of the network; more work by halos counts as handling".replace("%", " %", 1)
    )
    return ScaleResult(
        "handling", measured, f"{loop.core_ms:.1f} core-ms", f"{session.core_ms:.1f} core-ms", None,
        beyond[owner] <= OWNER_GOAL_MS and beyond[GATEWAY_NODE] <= GATEWAY_GOAL_MS, remark,
        {"owner": beyond[owner], "gateway": beyond[GATEWAY_NODE]},
    )  # fmt: skip


def reference_ms(
    loop: BareFigures, session: BareFigures, tail: float, computed_by_gateway: float
) -> tuple[float, float]:
    """Return the core-ms that a bare loop's steps for one frame need at the owner and at the gateway.

    `tail`: the share of the network behind the cut, which the gateway runs; `computed_by_gateway`: the share of the
    part before the cut that the gateway computed. All steps except the network count for the owner.
    """
    gateway = session.core_ms * (tail + (1 - tail) * computed_by_gateway)
    return loop.core_ms - gateway, gateway


def tail_share(model: str, plan: Mapping[str, Any]) -> float:
    """Return the share of the network's operations that are behind the plan's cut."""
    opened = open_model(model)
    network = opened.network
    if sum(stage["layers"] for stage in plan["stages"]) >= len(network.layers):
        return 0.0
    cut = choose_cut(opened, None, Grid.parse(plan["stages"][-1]["grid"]))
    return 1 - macs_of(network, network.head_layers(cut)) / macs_of(network, network.layers)
