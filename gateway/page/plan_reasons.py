"""Explains in words how frames are computed, and why this plan was chosen. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.cluster import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.payloads.bridge import BridgeInfo, PredictedPlan
    from shared.payloads.cluster import Nodes

_METHODS = {
    "whole": "each frame is computed whole, by one device",
    "bodp": "each layer is divided into a strip for each device, as MoDNN does",
    "ftp-wsh": "each frame is cut into tiles, and the gateway shares them out",
    "ftp-wst": "each frame is cut into tiles, and idle devices take them from busy ones",
    "ftp-wst-s": "each frame is cut into tiles; neighbours reuse the strips that they share",
    "staged": "each frame is cut into stages of tiles, which exchange their borders between the stages",
}


def explain_plan(info: BridgeInfo | None, nodes: Nodes | None) -> str:
    """Return a sentence on how frames are computed by the current plan, and why; empty while there is no plan."""
    if info is None:
        return ""
    plan = info.plan
    says = "each frame is computed whole, by one device" if plan.tiles == 1 else _METHODS.get(plan.method, "")
    found = list(nodes.nodes.values()) if nodes else []
    devices = sum(node.state is State.ONLINE and not node.barred and not node.drained for node in found)
    if plan.tiles > 1:
        extra = f"; the tiles together are {plan.work:.3g} times the work of a whole frame" if plan.work > 1 else ""
        return f"{says}{extra}"
    if devices > 1:
        return (
            f"{says}: tiles cost more than they save while several frames are under way; then each device computes "
            "frames of its own, and no division has a higher throughput"
        )
    return f"{says}: there is only one, and tiles would add work" if devices else says


def explain_choice(plans: Sequence[PredictedPlan]) -> str:
    """Return why the offered plans were preferred to the others that were considered; empty if none was considered."""
    offered = [plan for plan in plans if plan.used]
    if not offered:
        return ""
    soonest = min(offered, key=lambda plan: plan.latency_s)
    among = f"of {len(plans)} plans, " if len(plans) > 1 else ""
    says = f"{among}{soonest.plan} is predicted to end a frame alone in {_ms(soonest)}"
    others = [plan for plan in plans if not plan.used and not plan.refused and plan.latency_s >= soonest.latency_s]
    if others:
        second = min(others, key=lambda plan: plan.latency_s)
        says = f"{says}; the next best, {second.plan}, in {_ms(second)}"
    most = max(offered, key=lambda plan: plan.frames_per_s)
    if most is not soonest:
        says = f"{says}; while many frames are under way, {most.plan} computes more: {most.frames_per_s:.3g} a second"
    return says


def _ms(plan: PredictedPlan) -> str:
    return f"{plan.latency_s * 1e3:.0f} ms"
