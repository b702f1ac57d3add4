"""Detects the objects in a picture from the maps at the cut: tail, decoding, suppression."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.detection.decoding import decode
from shared.detection.decoding.recognition import family_of
from shared.detection.detections import Detections
from shared.detection.suppression import best_candidates, suppress
from shared.errors import ModelError
from shared.finite import all_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.detection.decoding.family import InputSize, Shapes
    from shared.engine.sessions import NetworkSession
    from shared.model.arrays import Array, FeatureMap
    from shared.model.letterbox import Letterbox
    from shared.model.spec import ModelSpec
    from shared.payloads.cluster import DetectedObject

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The objects of one frame, best first.

    `decode_ms` is the time that decoding and suppression took, `decode_cpu_ms` the processor time that they used.
    """

    objects: tuple[DetectedObject, ...]
    decode_ms: float
    decode_cpu_ms: float = 0.0


class Detector:
    """Runs all that is behind the cut: the tail, decoding, and suppression. Not thread-safe."""

    def __init__(
        self,
        spec: ModelSpec,
        input_size: InputSize,
        outputs: Shapes,
        cut: Sequence[str],
        tail: NetworkSession | None = None,
    ) -> None:
        """Choose the decoder. `input_size`: (height, width) of the network's input; `outputs`: shapes by name.

        `cut` names the maps that detect() gets; `tail` runs the layers behind them, None when there are none.
        Raises ModelError when no decoder reads the outputs.
        """
        self._spec = spec
        self._cut = cut
        self._tail = tail
        self._outputs = cut if tail is None else tail.outputs
        self._input_size = input_size
        self._has_warned = False
        self._overlapping = family_of(outputs, input_size, spec).overlapping

    def detect(self, maps: list[FeatureMap], letterbox: Letterbox) -> DetectionResult:
        """Return the objects for maps at the cut, float32 (1, C, H, W).

        `letterbox` is the position of the picture in the network's input; boxes are returned in the picture's pixels.

        Raises ModelError when an output is not finite: that must not look like an empty picture.
        """
        outputs: Sequence[Array] = maps
        if self._tail is not None:
            outputs = tuple(self._tail.run(dict(zip(self._cut, maps, strict=True))).values())
        decoding, cpu_s = time.monotonic(), time.thread_time()
        found = self.find(outputs, letterbox)
        objects = found.describe((letterbox.image_height, letterbox.image_width), self._spec.labels)
        return DetectionResult(objects, (time.monotonic() - decoding) * 1e3, (time.thread_time() - cpu_s) * 1e3)

    def find(self, outputs: Sequence[Array], letterbox: Letterbox) -> Detections:
        """Decode and suppress: return the objects for the network's outputs. Raises ModelError, see `detect`."""
        if not all_finite(outputs):
            raise ModelError(f"outputs of model {self._spec.name} are not finite numbers")
        named = dict(zip(self._outputs, outputs, strict=True))
        candidates = decode(named, self._input_size, self._spec)
        if candidates.invalid_count and not self._has_warned:
            self._has_warned = True
            log.warning(
                "model %s: %s of its candidates have invalid boxes or scores and are dropped; check its description "
                "(logged once)",
                self._spec.name, candidates.invalid_count,
            )  # fmt: skip
        kept = suppress(candidates, self._spec.iou_threshold) if self._overlapping else best_candidates(candidates)
        boxes = letterbox.to_image(candidates.boxes[kept])
        return Detections.from_columns(boxes, candidates.scores[kept], candidates.classes[kept])
