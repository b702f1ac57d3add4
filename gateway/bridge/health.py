"""The gateway's health, pure: counts of frames, and problems."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.payloads.bridge import BridgeHealth
from shared.payloads.frames import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FRAME_RATE_WINDOW_S = 60.0
"""The rate of frames is measured over this time."""

MAX_RATED_FRAMES = 10_000
"""Published frames that are counted within the window: a rate above 160 a second is reported as 160."""

DEGRADED_S = 10.0
"""A camera counts as degraded for this long after the cluster has lost one of its frames."""

HARMLESS_OUTCOMES = frozenset({Outcome.PUBLISHED, Outcome.SUPERSEDED, Outcome.REPLANNED, Outcome.STOPPED})
"""Outcomes that are not failures: published, replaced by a newer frame, or ended by a new plan or a stop."""


@dataclass(slots=True)
class GatewayHealth:
    """Counts the outcomes of frames. Time is monotonic seconds, given by the caller."""

    started_at: float
    published: int = 0
    dropped: int = 0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RATED_FRAMES))
    _lost_at: dict[str, float] = field(default_factory=dict)

    def on_frame_ended(self, camera: str, outcome: Outcome, now: float) -> None:
        """Count a frame that was published or dropped."""
        if outcome is Outcome.PUBLISHED:
            self.published += 1
            self._recent.append(now)
            return
        self.dropped += 1
        if outcome not in HARMLESS_OUTCOMES:
            self._lost_at[camera] = now

    def is_degraded(self, camera: str, now: float) -> bool:
        """Return whether frames of this camera were lost recently."""
        return now - self._lost_at.get(camera, float("-inf")) < DEGRADED_S

    def report(
        self,
        now: float,
        at: float,
        nodes: int,
        cameras: tuple[int, int],
        lost: Mapping[str, str],
        others: Sequence[str] = (),
    ) -> BridgeHealth:
        """Return the health at `at` (seconds since 1970), which is `now` in monotonic seconds.

        `nodes`: the number of connected edges; `cameras`: the numbers of online and of configured cameras; `lost`: the
        reasons why cameras are offline, by camera; `others`: problems to add to those of cameras and edges.
        """
        while self._recent and now - self._recent[0] > FRAME_RATE_WINDOW_S:
            self._recent.popleft()
        window_s = max(1.0, min(FRAME_RATE_WINDOW_S, now - self.started_at))
        online, configured = cameras
        problems = [f"camera {name}: {reason}" for name, reason in sorted(lost.items())]
        problems += [] if nodes else ["no edge is connected"]
        degraded = sorted(camera for camera in self._lost_at if self.is_degraded(camera, now))
        problems += [f"frames of camera {name} were lost recently" for name in degraded]
        return BridgeHealth(
            at=at,
            up_s=round(now - self.started_at, 1),
            frames_per_s=round(len(self._recent) / window_s, 2),
            published=self.published,
            dropped=self.dropped,
            nodes_online=nodes,
            cameras_online=online,
            cameras=configured,
            problems=(*problems, *others),
        )
