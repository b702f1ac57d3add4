"""Running networks on onnxruntime within a bounded number of threads and a bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import onnxruntime

from shared.engine.manifest import MANIFEST, WEIGHTS, Kind, Manifest
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.ftp.merge import Map
    from shared.ftp.tiles import Pads
    from shared.letterbox import Pixels
    from shared.model.spec import Preprocessing


def open_session(
    model: bytes | Path,
    threads: int,
    options: Mapping[str, object] | None = None,
    entries: Mapping[str, str] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401  (onnxruntime has no type information)
    """An onnxruntime session on the CPU that computes in `threads` threads and never spins while it waits.

    `options` are attributes of SessionOptions, `entries` its configuration entries, `shared` initializers by name.
    Raises ModelError when onnxruntime does not take the model.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    settings.enable_mem_pattern = False  # tiles differ in size; patterns would raise the peak
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in (options or {}).items():
        setattr(settings, name, value)
    for key, text in (entries or {}).items():
        settings.add_session_config_entry(key, text)
    for name, tensor in (shared or {}).items():
        settings.add_initializer(name, tensor)
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), settings, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises classes of its own, without a common base
        raise ModelError(f"onnxruntime does not take the model: {str(error).splitlines()[0]}") from error


class TileEngine(Protocol):
    """Runs the program of a stage, tiles of every kind, with one copy of the weights."""

    name: str

    def run(self, pixels: Pixels, pads: Sequence[Pads]) -> list[Map]:
        """Compute one tile from its pixels, uint8 (h, w, 3), and its pads.

        Returns the tile's part of each map at the cut, float32 (1, C, h, w).
        """


class PaddingEngine:
    """The plain construction: one session whose pads are an input of the run. Works for every program."""

    name = "plain"

    def __init__(self, program: bytes | Path, threads: int = 1) -> None:
        self._session = open_session(program, threads, entries={"session.use_env_allocators": "1"})
        self._inputs = [value.name for value in self._session.get_inputs()]

    def run(self, pixels: Pixels, pads: Sequence[Pads]) -> list[Map]:
        feeds: list[np.ndarray[Any, Any]] = [np.ascontiguousarray(pixels)[np.newaxis]]
        if len(self._inputs) > 1:
            amounts = np.zeros((len(pads), 8), np.int64)
            amounts[:, (2, 3, 6, 7)] = pads
            feeds.append(amounts)
        return cast("list[Map]", self._session.run(None, dict(zip(self._inputs, feeds, strict=True))))


class PreparedEngine:
    """The fast construction: a small session for each kind of tile, as shared.engine.preparing wrote them.

    All map the same file of weights, and share one arena when shared.engine.memory has made it.
    """

    name = "prepared"

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Raises ModelError when the folder does not hold what is needed."""
        try:
            manifest = Manifest.from_json(json.loads((folder / MANIFEST).read_text()))
            self._weights = np.memmap(folder / WEIGHTS, np.uint8, "r")
            self._values: dict[tuple[int, tuple[int, ...]], Any] = {}
            self._sessions = {kind.pads: self._open(folder, kind, threads) for kind in manifest.kinds}
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"prepared program {folder} is not whole: {error}") from error

    def _open(self, folder: Path, kind: Kind, threads: int) -> Any:  # noqa: ANN401
        shared = {}
        for weight in kind.weights:
            place = weight.offset, weight.shape
            if place not in self._values:
                dtype = np.dtype(weight.dtype)
                size = int(np.prod(weight.shape)) * dtype.itemsize
                array = self._weights[weight.offset : weight.offset + size].view(dtype).reshape(weight.shape)
                self._values[place] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            shared[weight.name] = self._values[place]
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is optimised already
        entries = {"session.use_env_allocators": "1"}
        return open_session(folder / kind.file, threads, {"graph_optimization_level": level}, entries, shared)

    def run(self, pixels: Pixels, pads: Sequence[Pads]) -> list[Map]:
        session = self._sessions[tuple(pads)]
        return cast("list[Map]", session.run(None, {"pixels": np.ascontiguousarray(pixels)[np.newaxis]}))


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
