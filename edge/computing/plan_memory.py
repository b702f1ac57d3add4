"""The memory that a plan needs on this device, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.plan.plan import Plan


def memory_of_plan(plan: Plan) -> int:
    """Return the bytes of all weights of a plan, once, and of the maps of its largest tile.

    Tiles that the gateway assigns count nothing: it has given this device only what fits.
    """
    parts = {}
    for stage in plan.stages:
        found = (stage.program.parts.graph, *stage.program.parts.weights) if stage.program.parts else (stage.program,)
        parts.update({part.sha256: part.bytes for part in found})
    maps = 0 if plan.distribution.by_gateway else max(stage.working_bytes for stage in plan.stages)
    return sum(parts.values()) + maps


def explain_missing(plan: Plan, memory_bytes: int) -> str:
    """Return why a plan does not fit this memory, 0: not known; empty when it does."""
    needed = memory_of_plan(plan)
    if not memory_bytes or needed <= memory_bytes:
        return ""
    division = "whole frames" if plan.detector is not None else f"tiles by {plan.method}"
    needs = f"{division} of {plan.model} need {needed / 2**20:.0f} MiB"
    return f"{needs}, {(needed - memory_bytes) / 2**20:.0f} MiB more than this device has for plans"
