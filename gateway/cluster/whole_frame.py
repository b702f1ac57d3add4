"""The result of a whole frame, which one worker computes completely: its objects, instead of merged maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.detection.detections import COLUMNS, Detections
from shared.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.arrays import FloatArray
    from shared.wire.connection import Payload
    from shared.wire.headers import ResultHeader


class WholeFrame:
    """The objects in a whole frame, None until its only tile is computed. It has the interface of MergedMaps."""

    def __init__(self) -> None:
        self.objects: Detections | None = None

    @property
    def missing(self) -> frozenset[int]:
        """Return the indexes of the tiles that have not been placed yet."""
        return frozenset([0] if self.objects is None else ())

    @property
    def complete(self) -> bool:
        """Return whether the objects are there."""
        return self.objects is not None

    def place(self, index: int, arrays: Sequence[FloatArray]) -> bool:  # noqa: ARG002  (as in MergedMaps)
        """Keep the table of the objects, float32 (N, 6), see Detections; return False if there is one already."""
        if self.objects is not None:
            return False
        (table,) = arrays
        self.objects = Detections(table)
        return True

    def reset(self) -> None:
        """Remove the objects, to use this for another frame."""
        self.objects = None


def read_objects(result: ResultHeader, payload: Payload) -> Detections | None:
    """Return the objects in a result as received; None if their values are impossible, for example not finite.

    Raises ProtocolError when the result does not fit a plan of whole frames.
    """
    if result.tile or result.shapes or result.strips or payload.size != 4 * COLUMNS * (result.objects or 0):
        raise ProtocolError(f"{result.worker} sent {payload.size} bytes for {result.objects} objects of a whole frame")
    try:
        return Detections.from_bytes(payload)
    except ValueError:
        return None
