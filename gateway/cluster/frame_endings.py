"""Decides the outcomes of frames, sends them to owners, and enters them in the accounts of cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cluster.camera_accounts import CameraAccounts
from gateway.cluster.frame_outcomes import FrameOutcomes
from shared.mqtt import topics
from shared.payloads.cluster import FrameDone

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.broker.planes import Planes
    from gateway.cluster.confirmations import Confirmations
    from shared.payloads.frames import FrameInfo, Outcome


class FrameEndings:
    """Decides and publishes the outcomes of frames; `on_ended(camera, outcome)` is called for each."""

    def __init__(self, bus: Planes, confirmations: Confirmations, on_ended: Callable[[str, Outcome], None]) -> None:
        self._bus = bus
        self._confirmations = confirmations
        self._on_ended = on_ended
        self._outcomes = FrameOutcomes()
        self._accounts = CameraAccounts()
        bus.on(topics.CAMERA_STATS, lambda _, stats: self._accounts.on_stats(stats))

    def has_ended(self, frame: str) -> bool:
        """Return whether a frame has an outcome."""
        return self._outcomes.outcome_of(frame) is not None

    def decide_outcome(self, info: FrameInfo, owner: str, outcome: Outcome) -> bool:
        """Decide a frame's outcome and publish it; return False when the frame already has one."""
        if not self._outcomes.decide_outcome(info.frame, outcome):
            return False
        self.publish_outcome(info.frame, owner, outcome)
        self._on_ended(info.camera, outcome)
        account = self._accounts.on_outcome(info, outcome)
        if account is not None:
            self._bus.publish_soon(topics.CAMERA_STATS, account, account.camera)
        return True

    def publish_outcome(self, frame: str, owner: str, default: Outcome) -> None:
        """Send a frame's outcome to its owner; if none is decided, decide `default`."""
        self._outcomes.decide_outcome(frame, default)
        outcome = self._outcomes.outcome_of(frame) or default
        self._confirmations.confirm_frame(owner, FrameDone(frame=frame, outcome=outcome))

    def on_node_lost(self, node: str) -> None:
        """Close and publish the accounts of the cameras of a lost node."""
        for account in self._accounts.close_accounts(node):
            self._bus.publish_soon(topics.CAMERA_STATS, account, account.camera)
