"""The frame accounts of cameras, pure: closed by the gateway when a camera's edge is lost.

Otherwise outdated figures would stay retained. Only the gateway knows then which frames were published. An edge that
returns publishes its own figures again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from shared.frame_account import FrameAccount
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameInfo, Outcome

MAX_CAMERA_ACCOUNTS = 1000
"""Cameras with an account; beyond that the oldest account is removed. A faulty client may invent names without end."""


@dataclass(slots=True)
class _Camera:
    """The account of one camera's agent, which is identified by the session in the names of its frames."""

    session: str = ""
    account: FrameAccount = field(default_factory=FrameAccount)
    stats: CameraStats | None = None
    lost: bool = False


class CameraAccounts:
    """Figures that agents reported through their edges, and outcomes that were decided here since."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()

    def on_stats(self, stats: CameraStats) -> None:
        """Update a camera's account from its edge; the gateway's own messages, which come back, are ignored."""
        camera = self._camera(stats.camera)
        if camera.lost and stats.reason == _reason(stats):
            return
        if camera.stats is not None and stats.counts.captured < camera.stats.counts.captured:
            self._cameras[stats.camera] = camera = _Camera()  # a new agent, which counts from 0
        camera.stats, camera.lost = stats, False
        camera.account.add_report(stats.counts)

    def on_outcome(self, info: FrameInfo, outcome: Outcome) -> CameraStats | None:
        """Record a frame's outcome; return the account to publish if the camera's edge is lost, else None."""
        camera, session = self._camera(info.camera), info.frame.rpartition("-")[0]
        if camera.session and session != camera.session:
            self._cameras[info.camera] = camera = _Camera(stats=camera.stats)
        camera.session = session
        camera.account.record_outcome(info.number, outcome)
        return _closed(camera, camera.stats) if camera.lost and camera.stats is not None else None

    def close_accounts(self, node: str) -> list[CameraStats]:
        """Close the accounts of all cameras of a lost edge, and return them."""
        closed = []
        for camera in self._cameras.values():
            stats = camera.stats
            if stats is not None and stats.node == node and not camera.lost and not _is_closed(stats):
                camera.lost = True
                closed.append(_closed(camera, stats))
        return closed

    def _camera(self, name: str) -> _Camera:
        camera = self._cameras.get(name)
        if camera is None:
            camera = self._cameras[name] = _Camera()
        self._cameras.move_to_end(name)
        while len(self._cameras) > MAX_CAMERA_ACCOUNTS:
            self._cameras.popitem(last=False)
        return camera


def _closed(camera: _Camera, last: CameraStats) -> CameraStats:
    return CameraStats(
        camera=last.camera, node=last.node, counts=camera.account.final_counts(Outcome.OWNER_LOST), ended=last.ended,
        state=State.OFFLINE, reason=_reason(last), assigned=last.assigned,
    )  # fmt: skip


def _reason(stats: CameraStats) -> str:
    return f"its edge {stats.node} is gone"


def _is_closed(stats: CameraStats) -> bool:
    return stats.counts.under_way == 0 and (stats.ended or stats.state is State.OFFLINE)
