"""One frame of this edge's cameras while it is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.frames.owned_plan import OwnedPlan
    from shared.model.arrays import Pixels
    from shared.payloads.frames import FrameInfo, Outcome


@dataclass(slots=True)
class OwnedFrame:
    """A frame under way: its picture and its letterboxed pixels, uint8 (H, W, 3) each.

    `held_until`: its tasks are left to faster helpers until then; to the thief that it was invited for, if `promised`.
    """

    info: FrameInfo
    picture: Pixels
    pixels: Pixels
    opened_at: float
    finished: Callable[[Outcome], None]
    plan: OwnedPlan
    held_until: float = 0.0
    promised: bool = False
