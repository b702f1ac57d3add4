"""Running networks on onnxruntime within a bounded number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnxruntime

from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.ftp.merge import Map
    from shared.ftp.tiles import Pads
    from shared.letterbox import Pixels
    from shared.model.spec import Preprocessing


def open_session(model: bytes | Path, threads: int) -> Any:  # noqa: ANN401  (onnxruntime has no type information)
    """An onnxruntime session on the CPU that computes in `threads` threads and never spins while it waits.

    Raises ModelError when onnxruntime does not take the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # tiles differ in size; patterns would raise the peak
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises classes of its own, without a common base
        raise ModelError(f"onnxruntime does not take the model: {str(error).splitlines()[0]}") from error


class TileEngine:
    """Runs the program of a stage: one session, one copy of the weights, tiles of every kind."""

    def __init__(self, program: bytes | Path, threads: int = 1) -> None:
        self._session = open_session(program, threads)
        self._inputs = [value.name for value in self._session.get_inputs()]

    def run(self, pixels: Pixels, pads: Sequence[Pads]) -> list[Map]:
        """Compute one tile from its pixels, uint8 (h, w, 3), and its pads.

        Returns the tile's part of each map at the cut, float32 (1, C, h, w).
        """
        feeds: list[np.ndarray[Any, Any]] = [np.ascontiguousarray(pixels)[np.newaxis]]
        if len(self._inputs) > 1:
            feeds.append(np.array(pads, np.int64))
        return cast("list[Map]", self._session.run(None, dict(zip(self._inputs, feeds, strict=True))))


class Network:
    """Runs an ordinary model: float32 maps in, float32 arrays out. The tail, and the unpartitioned head."""

    def __init__(self, model: bytes | Path, threads: int = 1) -> None:
        self._session = open_session(model, threads)
        self.outputs: tuple[str, ...] = tuple(value.name for value in self._session.get_outputs())

    def run(self, maps: Mapping[str, Map]) -> dict[str, Map]:
        """Compute the outputs, by name, from the inputs, by name."""
        return dict(zip(self.outputs, self._session.run(None, dict(maps)), strict=True))


def normalise(pixels: Pixels, preprocessing: Preprocessing) -> Map:
    """uint8 (H, W, 3) to the network's float32 input (1, 3, H, W), as a stage's program does it."""
    mean, std = np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32)
    scaled = (pixels.astype(np.float32) - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))[np.newaxis]
