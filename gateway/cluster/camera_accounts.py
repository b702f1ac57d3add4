"""Accounts of cameras whose edge is gone, pure: what is retained of them would be old figures for ever.

What was published only the gateway knows then. An edge that comes back tells its own figures again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from shared.frame_account import FrameAccount
from shared.payloads.cluster import CameraStats, State
from shared.payloads.frames import FrameInfo, Outcome

ACCOUNTS_CAP = 1000
"""Cameras; a client that invents names without end makes the oldest be forgotten."""


@dataclass(slots=True)
class _Camera:
    """One camera's agent, by its session, which is what the names of its frames begin with."""

    session: str = ""
    account: FrameAccount = field(default_factory=FrameAccount)
    stats: CameraStats | None = None
    lost: bool = False


class Accounts:
    """What agents reported by their edges, and what was decided here since."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()

    def on_stats(self, stats: CameraStats) -> None:
        """Take what an edge tells of one of its cameras; what we told ourselves comes back, too, and says nothing."""
        camera = self._of(stats.camera)
        if camera.lost and stats.reason == _reason(stats):
            return
        if camera.stats is not None and stats.counts.captured < camera.stats.counts.captured:
            self._cameras[stats.camera] = camera = _Camera()  # another agent, which begins at 0
        camera.stats, camera.lost = stats, False
        camera.account.add_report(stats.counts)

    def decided(self, info: FrameInfo, outcome: Outcome) -> CameraStats | None:
        """Enter what became of a frame; returns the account to publish of a camera whose edge is gone, else None."""
        camera, session = self._of(info.camera), info.frame.rpartition("-")[0]
        if camera.session and session != camera.session:
            self._cameras[info.camera] = camera = _Camera(stats=camera.stats)
        camera.session = session
        camera.account.record_outcome(info.number, outcome)
        return _closed(camera, camera.stats) if camera.lost and camera.stats is not None else None

    def node_lost(self, node: str) -> list[CameraStats]:
        """Return the closed accounts of all cameras of an edge that is gone."""
        closed = []
        for camera in self._cameras.values():
            stats = camera.stats
            if stats is not None and stats.node == node and not camera.lost and not _is_closed(stats):
                camera.lost = True
                closed.append(_closed(camera, stats))
        return closed

    def _of(self, name: str) -> _Camera:
        camera = self._cameras.setdefault(name, _Camera())
        self._cameras.move_to_end(name)
        while len(self._cameras) > ACCOUNTS_CAP:
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
