"""Describes the plans that were considered for people: what is predicted of each, and what was measured. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.payloads.bridge import PlannedDevice, PredictedPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.planning.plan_candidates import PlanCandidate
    from gateway.planning.plan_search import PlanSearch
    from gateway.planning.profiles import ClusterProfile

MAX_PREDICTED_PLANS = 8
"""Plans that are described; more are rarely read."""


def predicted_plans(search: PlanSearch, measured_s: Mapping[str, float | None]) -> tuple[PredictedPlan, ...]:
    """Return the best plans, and whole frames.

    `measured_s`: by the words for each plan in use, how long its frames take; None before this is known.
    """
    best = search.candidates[:MAX_PREDICTED_PLANS]
    wanted = [*best, *(found for found in search.candidates if found not in best and str(found) in measured_s)]
    return tuple(_describe(candidate, measured_s) for candidate in wanted)


def planned_devices(
    cluster: ClusterProfile, kernels: Callable[[str], Mapping[str, float]]
) -> tuple[PlannedDevice, ...]:
    """Return the devices that plans were predicted for. `kernels` returns the costs that a device has measured."""
    return tuple(
        PlannedDevice(
            name=device.name,
            macs_per_s=round(device.macs_per_s),
            bytes_per_s=round(device.bytes_per_s),
            memory_bytes=device.memory_bytes,
            kernels=dict(kernels(device.name)),
        )
        for device in cluster.devices
    )


def _describe(candidate: PlanCandidate, measured_s: Mapping[str, float | None]) -> PredictedPlan:
    prediction, words = candidate.prediction, str(candidate)
    return PredictedPlan(
        plan=words,
        devices=tuple(dict.fromkeys(candidate.devices)),
        latency_s=round(prediction.latency_s, 4),
        frames_per_s=round(prediction.frames_per_s, 3),
        frame_bytes=prediction.frame_bytes,
        memory_bytes=prediction.memory_bytes,
        limit=prediction.neck,
        refused=candidate.refused,
        used=words in measured_s,
        measured_s=measured_s.get(words),
    )
