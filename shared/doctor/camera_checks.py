"""Checks of the cameras (pictures, dropped frames), and of the speed of all devices together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.doctor.doctor_findings import failed, not_tried, passed, split_cure, warned
from shared.doctor.likely_causes import DROP_CAUSES, find_cause
from shared.status.cures import TRY_CAMERA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.doctor.doctor_facts import Facts
    from shared.doctor.doctor_findings import Finding
    from shared.payloads.cluster import CameraStats
    from shared.payloads.frames import FrameCounts, Outcome
    from shared.status.status_report import CameraStatus, Problem, Status

MIN_COUNTED_FRAMES = 10
"""A camera with fewer dropped frames has just begun, and is not judged."""

MIN_RECENT_FRAMES = 3
"""This many dropped frames, while the doctor listens, show that a camera without published frames is not just still."""

MAX_DROPPED_SHARE = 0.1
"""Share of a camera's frames that may be dropped: a few are, whenever something changes."""


def check_cameras(facts: Facts, status: Status | None, problems: Mapping[str, Sequence[Problem]]) -> Iterator[Finding]:
    """Check each camera, with the reasons that `deepthings status` gives."""
    if status is None:
        yield not_tried("cameras", "the gateway has not told of them")
        return
    if not status.cameras:
        yield not_tried("cameras", "there are none: write them into the configuration (docs/configuration.md)")
    for name, camera in status.cameras.items():
        stats = facts.cluster.cameras.get(name) if facts.cluster else None
        found = [*_camera_problems(name, problems.get(name, ())), *_dropped(name, stats, facts.earlier.get(name))]
        if not found and camera.state == "offline":
            reason = camera.reason or "it is offline"
            found = [failed(f"camera {name}", reason, find_cause(f"camera {name}: {reason}"), TRY_CAMERA)]
        yield from found or [_healthy_camera(name, camera, stats)]


def check_speed(status: Status | None) -> Iterator[Finding]:
    """Report what the devices can compute together."""
    if status is None or not status.gateway.gain_in_words:
        yield not_tried("speed", "no device computes")
    else:
        yield passed("speed", status.gateway.gain_in_words)


def _camera_problems(name: str, problems: Sequence[Problem]) -> Iterator[Finding]:
    for problem in problems:
        what, included = split_cure(problem.what.removeprefix(f"camera {name}: "))
        cure = problem.cure or included or TRY_CAMERA
        yield failed(f"camera {name}", what, find_cause(problem.what), cure.replace("NAME", name))


def _dropped(name: str, stats: CameraStats | None, earlier: FrameCounts | None) -> Iterator[Finding]:
    """Yield the main reason of dropped frames, if none is published at the moment, or many were dropped before."""
    if stats is None or stats.ended or not stats.counts.dropped:
        return
    recent = {} if earlier is None else _since(stats.counts, earlier)
    if sum(recent.values()) >= MIN_RECENT_FRAMES and stats.published_per_s == 0:
        reason = _main_reason(recent)
        what = f"no frame is published at the moment: all are dropped, most of them as '{reason.value}'"
        yield failed(f"camera {name}", what, *DROP_CAUSES[reason])
        return
    dropped, captured = sum(stats.counts.dropped.values()), stats.counts.captured
    if dropped < MIN_COUNTED_FRAMES or dropped < MAX_DROPPED_SHARE * captured:
        return
    reason = _main_reason(stats.counts.dropped)
    cause, cure = DROP_CAUSES[reason]
    what = f"{dropped} of {captured} frames were dropped since its agent started, most of them as '{reason.value}'"
    if not stats.counts.published:
        yield failed(f"camera {name}", f"no frame is published: {what}", cause, cure)
    else:
        yield warned(f"camera {name}", what, cause, cure)


def _since(counts: FrameCounts, earlier: FrameCounts) -> dict[Outcome, int]:
    """Return the frames that were dropped between two reports, by reason."""
    return {reason: count - earlier.dropped.get(reason, 0) for reason, count in counts.dropped.items()}


def _main_reason(dropped: Mapping[Outcome, int]) -> Outcome:
    return max(sorted(dropped), key=dropped.__getitem__)


def _healthy_camera(name: str, camera: CameraStatus, stats: CameraStats | None) -> Finding:
    """Return the finding for a camera without problems, with its edge, size and rates."""
    check = f"camera {name}"
    if camera.state == "unknown":
        return not_tried(check, "no edge has reported it yet")
    words = [f"online at edge {camera.edge}"]
    if camera.width and camera.height:
        words.append(f"{camera.width}x{camera.height}")
    if camera.source_fps:
        words.append(f"{camera.source_fps:.3g} pictures/s")
    if camera.frames_per_s is not None:
        words.append(f"{camera.frames_per_s:.3g} frames/s published")
    if stats is not None and not stats.counts.captured and camera.source_fps:
        words.append("none was sent yet, as nothing moves, or detection is off")
    return passed(check, ", ".join(words))
