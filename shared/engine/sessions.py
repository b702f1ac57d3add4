"""Running networks on onnxruntime within a bounded number of threads and a bounded memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnxruntime

from shared.engine.program_manifest import MANIFEST_FILE, WEIGHTS_FILE, PreparedKind, ProgramManifest, file_checksum
from shared.engine.trial import same_outputs, sample_outputs, trial_input
from shared.errors import DamageError, ModelError, WrongResultError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.ftp.stage import Form
    from shared.model.arrays import Array, FeatureMap, Pixels
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


def read_manifest(folder: Path) -> ProgramManifest:
    """Return the manifest of a prepared program. Raises DamageError when it is not there, or not as it was written."""
    try:
        return ProgramManifest.decode((folder / MANIFEST_FILE).read_bytes())
    except OSError as error:
        raise DamageError(f"{folder / MANIFEST_FILE} cannot be read: {system_reason(error)}") from error
    except ValueError as error:
        raise DamageError(f"{folder / MANIFEST_FILE} is damaged: {error}") from error


class TileEngine(Protocol):
    """Runs the program of a stage, tiles of every kind, with one copy of the weights.

    One that does not hand on strips (`reuses` False) runs tiles that take none, and gives none.
    """

    name: str
    reuses: bool

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        """Compute one tile from its part of each input: pixels, uint8 (h, w, 3), or maps, float32 (1, C, h, w).

        `strips` are those that the form takes, in its order, (1, C, h, w) each, of their maps' types.
        Returns the tile's part of each map at the cut, float32 (1, C, h, w), and the strips that the form gives.
        """


class PaddingEngine:
    """The plain construction: one session whose pads are an input of the run. Works for every program."""

    name = "plain"
    reuses = False

    def __init__(self, program: bytes | Path, threads: int = 1) -> None:
        self._session = open_session(program, threads, entries={"session.use_env_allocators": "1"})
        self._inputs = [value.name for value in self._session.get_inputs()]

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        assert not strips, "the plain engine takes no strips"
        feeds = [_batch(part) for part in parts]
        if len(self._inputs) > len(parts):
            amounts = np.zeros((len(form.pads), 8), np.int64)
            amounts[:, (2, 3, 6, 7)] = form.pads
            feeds.append(amounts)
        return self._session.run(None, dict(zip(self._inputs, feeds, strict=True))), []


class SpecialEngine:
    """A program that was specialised for one form, in an ordinary session."""

    name = "special"
    reuses = True

    def __init__(self, program: bytes, threads: int = 1) -> None:
        self._session = open_session(program, threads)

    def trial_input(self, form: Form) -> tuple[list[Array], list[Array]]:
        """Return the parts and the strips of the trial tile."""
        return trial_input(self._session, form)

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        return _run_special(self._session, form, parts, strips)


class PreparedEngine:
    """The fast construction: a small session for each kind of tile, as shared.engine.preparing wrote them.

    All map the same file of weights, and share one arena when shared.engine.arena has made it.
    """

    name = "prepared"
    reuses = True

    def __init__(self, folder: Path, manifest: ProgramManifest, threads: int = 1) -> None:
        """Raises ModelError when onnxruntime does not take what is there, OSError when it is not there."""
        self._weights = np.memmap(folder / WEIGHTS_FILE, np.uint8, "r")
        self._values: dict[tuple[int, tuple[int, ...]], Any] = {}
        self._sessions = {kind.form.kind: self._open(folder, kind, threads) for kind in manifest.kinds}

    @classmethod
    def open_checked(
        cls, folder: Path, manifest: ProgramManifest, threads: int = 1, largest_cells: float = math.inf
    ) -> PreparedEngine:
        """Return the engine after its files and what it computes were found to be as when it was prepared.

        It may have been prepared for larger tiles: those of more than `largest_cells` are not tried, as they would take
        more memory than the plan's own.
        Raises DamageError, which names the file, and WrongResultError.
        """
        for name, expected in manifest.files.items():
            try:
                if file_checksum(folder / name) != expected:
                    raise DamageError(f"{folder / name} is damaged: it was written otherwise")
            except OSError as error:
                raise DamageError(f"{folder / name} cannot be read: {system_reason(error)}") from error
        try:
            engine = cls(folder, manifest, threads)
        except (ModelError, OSError, ValueError, TypeError) as error:
            raise DamageError(f"{folder} cannot be used: {error}") from error
        for kind in manifest.kinds:
            if kind.form.cells <= largest_cells and not same_outputs(engine.run_trial(kind.form), kind.answers):
                raise WrongResultError(f"{folder / kind.file} computes something else than when it was prepared")
        return engine

    def run_trial(self, form: Form) -> tuple[float, ...]:
        """Return a sample of what is made of the trial tile of a form."""
        maps, given = self.run(form, *trial_input(self._sessions[form.kind], form))
        return sample_outputs([*maps, *given])

    def _open(self, folder: Path, kind: PreparedKind, threads: int) -> Any:  # noqa: ANN401
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

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        return _run_special(self._sessions[form.kind], form, parts, strips)


def _run_special(
    session: Any,  # noqa: ANN401  (onnxruntime has no type information)
    form: Form,
    parts: Sequence[Array],
    strips: Sequence[Array],
) -> tuple[list[FeatureMap], list[Array]]:
    """Run a program for one form: inputs are the parts, then the strips; outputs the maps, then the strips."""
    names = [value.name for value in session.get_inputs()]
    results = session.run(None, dict(zip(names, (_batch(part) for part in (*parts, *strips)), strict=True)))
    count = len(results) - len(form.given)
    return results[:count], results[count:]


def _batch(part: Array) -> Array:
    """Contiguous, with the axis that pixels lack."""
    return np.ascontiguousarray(part if part.ndim == 4 else part[np.newaxis])


class NetworkSession:
    """Runs an ordinary model: maps in, arrays out, of the model's types. The tail, and the unpartitioned head."""

    def __init__(self, model: bytes | Path, threads: int = 1) -> None:
        self._session = open_session(model, threads)
        self.inputs: tuple[str, ...] = tuple(value.name for value in self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(value.name for value in self._session.get_outputs())

    def run(self, maps: Mapping[str, FeatureMap]) -> dict[str, FeatureMap]:
        """Compute the outputs, by name, from the inputs, by name."""
        return dict(zip(self.outputs, self._session.run(None, dict(maps)), strict=True))


def normalise(pixels: Pixels, preprocessing: Preprocessing) -> FeatureMap:
    """uint8 (H, W, 3) to the network's float32 input (1, 3, H, W), as a stage's program does it."""
    mean, std = np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32)
    scaled = (pixels.astype(np.float32) - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))[np.newaxis]
