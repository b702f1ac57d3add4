"""From a network's outputs to boxes and scores. A decoder is named in the model's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gateway.decoding import nanodet
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ftp.merge import Map
    from shared.model.spec import ModelSpec

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


DECODERS = {"nanodet": nanodet.decode}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes (N, 4) as left, top, right, bottom in input pixels, float32; scores (N,) and class numbers (N,)."""

    boxes: Array
    scores: Array
    classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def decode(outputs: Mapping[str, Map], input_size: tuple[int, int], spec: ModelSpec) -> Candidates:
    """Everything above the score threshold. Raises ModelError when the model names no decoder that is known."""
    decoder = DECODERS.get(spec.decoder or "")
    if decoder is None:
        found = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        raise ModelError(
            f"model {spec.name}: decoder {spec.decoder!r} is unknown (known: {', '.join(DECODERS)}); "
            f"name one in its description, for these outputs: {found}"
        )
    boxes, scores = decoder(outputs, input_size)
    cells, classes = np.nonzero(scores >= spec.score_threshold)
    return Candidates(boxes[cells], scores[cells, classes], classes)
