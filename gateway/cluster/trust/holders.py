"""Remembers which nodes may send results for the frames of an owner: the owner, and nodes that were given its tiles."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from shared.logs.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.payloads.frames import FrameInfo
    from shared.wire.headers import ResultHeader

log = logging.getLogger(__name__)

GRANT_KEPT_S = 900.0
"""A grant is remembered for this long. A thief may keep a grant until it is idle, but works on no tile for so long."""

MAX_KEPT_GRANTS = 10_000
"""Pairs of a node and an owner that are remembered: all pairs of a hundred nodes."""

UNASKED_LOG_PERIOD_S = 60.0
"""A warning about results that a node must not send is logged at most once in this time."""


class OpenFrames(Protocol):
    """The method of a collector that is used here."""

    def owner_of(self, frame: str) -> str | None: ...


class TileHolders:
    """Remembers which node was given tiles of which owner.

    `serves(camera, node)` returns whether a node may own frames of a camera: a configured camera only its edge.
    """

    def __init__(
        self, serves: Callable[[str, str], bool] = lambda *_: True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._serves = serves
        self._clock = clock
        self._granted: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._warnings = RateLimit(UNASKED_LOG_PERIOD_S)

    def grant(self, node: str, owner: str) -> None:
        """Note that a node was given a tile of an owner, or may take one."""
        self._granted[node, owner] = self._clock()
        self._granted.move_to_end((node, owner))
        if len(self._granted) > MAX_KEPT_GRANTS:
            self._granted.popitem(last=False)

    def may_open(self, frame: FrameInfo, owner: str) -> bool:
        """Return whether a node may own this frame: it serves the camera, and the frame is named after the camera."""
        if frame.frame.startswith(f"{frame.camera}-") and self._serves(frame.camera, owner):
            return True
        self._warn(owner, "edge %s has frame %s of a camera that it does not serve", owner, frame.frame)
        return False

    def may_send(self, result: ResultHeader, frames: OpenFrames) -> bool:
        """Return whether a node may send this result: for its own frame, or one of an owner that gave it a tile."""
        node, owner, opened_by = result.worker, result.owner, frames.owner_of(result.info.frame)
        if opened_by is None and not self.may_open(result.info, owner):
            return False
        granted = self._clock() - self._granted.get((node, owner), float("-inf")) < GRANT_KEPT_S
        if opened_by in {None, owner} and (node == owner or granted):
            return True
        self._warn(node, "edge %s sent a result for %s, of which it was given no tile", node, result.info.frame)
        return False

    def _warn(self, node: str, text: str, *words: str) -> None:
        if self._warnings.allows(node, self._clock()):
            log.warning(text, *words)
