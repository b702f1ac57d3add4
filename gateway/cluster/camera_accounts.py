"""Keeps the frame accounts of cameras, and closes those of a lost edge. Pure.

Without that, outdated stats would stay retained: when an edge is lost, only the gateway knows which frames were
published. An edge that returns publishes its own stats again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from shared.frame_account import FrameAccount
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameInfo, Outcome

MAX_CAMERA_ACCOUNTS = 1000
"""Cameras with an account; beyond that the oldest account is removed, as a faulty client may invent names endlessly."""


@dataclass(slots=True)
class _Camera:
    """The account of one camera's agent. The agent is identified by the session, a part of the names of its frames."""

    session: str = ""
    account: FrameAccount = field(default_factory=FrameAccount)
    stats: CameraStats | None = None
    lost: bool = False


class CameraAccounts:
    """For each camera, the last counts that its agent reported through its edge, and the outcomes decided since."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()

    def on_stats(self, stats: CameraStats) -> None:
        """Update a camera's account by the stats of its edge. Stats that the gateway published itself are ignored."""
        camera = self._camera(stats.camera)
        if camera.lost and stats.reason == _lost_reason(stats):
            return
        if camera.stats is not None and stats.counts.captured < camera.stats.counts.captured:
            self._cameras[stats.camera] = camera = _Camera()  # a new agent, which counts from 0
        camera.stats, camera.lost = stats, False
        camera.account.add_report(stats.counts)

    def on_outcome(self, info: FrameInfo, outcome: Outcome) -> CameraStats | None:
        """Record a frame's outcome; return the stats to publish if the camera's edge is lost, else None."""
        camera, session = self._camera(info.camera), info.frame.rpartition("-")[0]
        if camera.session and session != camera.session:
            self._cameras[info.camera] = camera = _Camera(stats=camera.stats)
        camera.session = session
        camera.account.record_outcome(info.number, outcome)
        return _closing_stats(camera, camera.stats) if camera.lost and camera.stats is not None else None

    def close_accounts(self, node: str) -> list[CameraStats]:
        """Close the accounts of all cameras of a lost edge; return the stats to publish."""
        closed = []
        for camera in self._cameras.values():
            stats = camera.stats
            if stats is not None and stats.node == node and not camera.lost and not _is_closed(stats):
                camera.lost = True
                closed.append(_closing_stats(camera, stats))
        return closed

    def _camera(self, name: str) -> _Camera:
        camera = self._cameras.get(name)
        if camera is None:
            camera = self._cameras[name] = _Camera()
        self._cameras.move_to_end(name)
        while len(self._cameras) > MAX_CAMERA_ACCOUNTS:
            self._cameras.popitem(last=False)
        return camera


def _closing_stats(camera: _Camera, last: CameraStats) -> CameraStats:
    return CameraStats(
        camera=last.camera, node=last.node, counts=camera.account.final_counts(Outcome.OWNER_LOST), ended=last.ended,
        state=State.OFFLINE, reason=_lost_reason(last), assigned=last.assigned,
    )  # fmt: skip


def _lost_reason(stats: CameraStats) -> str:
    return f"its edge {stats.node} is gone"


def _is_closed(stats: CameraStats) -> bool:
    return stats.counts.under_way == 0 and (stats.ended or stats.state is State.OFFLINE)
