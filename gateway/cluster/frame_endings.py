"""What becomes of frames: decided once, told to their owners, entered in the accounts of their cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cluster.camera_accounts import CameraAccounts
from gateway.cluster.frame_outcomes import FrameOutcomes
from shared.mqtt import topics
from shared.payloads.cluster import FrameDone

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.broker.planes import Planes
    from shared.payloads.frames import FrameInfo, Outcome


class FrameEndings:
    """Frames' ends; `ended(camera, outcome)` is called for each."""

    def __init__(self, bus: Planes, ended: Callable[[str, Outcome], None]) -> None:
        self._bus = bus
        self._ended = ended
        self._outcomes = FrameOutcomes()
        self._accounts = CameraAccounts()
        bus.on(topics.CAMERA_STATS, lambda _, stats: self._accounts.on_stats(stats))

    def has_ended(self, frame: str) -> bool:
        """Return whether a frame has ended."""
        return self._outcomes.outcome_of(frame) is not None

    def decide_outcome(self, info: FrameInfo, owner: str, outcome: Outcome) -> bool:
        """Enter a frame's outcome and tell its owner; returns False when it had one already."""
        if not self._outcomes.decide_outcome(info.frame, outcome):
            return False
        self.publish_outcome(info.frame, owner, outcome)
        self._ended(info.camera, outcome)
        account = self._accounts.on_outcome(info, outcome)
        if account is not None:
            self._bus.post(topics.CAMERA_STATS, account, account.camera)
        return True

    def publish_outcome(self, frame: str, owner: str, otherwise: Outcome) -> None:
        """Tell an owner what became of a frame: `otherwise` from now on, if nothing was decided."""
        self._outcomes.decide_outcome(frame, otherwise)
        outcome = self._outcomes.outcome_of(frame) or otherwise
        self._bus.post(topics.OUTCOMES, FrameDone(frame=frame, outcome=outcome), owner)

    def on_node_lost(self, node: str) -> None:
        """Close the accounts of its cameras."""
        for account in self._accounts.close_accounts(node):
            self._bus.post(topics.CAMERA_STATS, account, account.camera)
