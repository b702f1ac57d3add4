"""Run networks on onnxruntime with a bounded number of threads and bounded memory."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shared.engine.lanes import ONE_LANE, TileLanes
from shared.engine.program_manifest import (
    MANIFEST_FILE,
    WHOLE_METADATA,
    PreparedKind,
    ProgramManifest,
    file_checksum,
)
from shared.engine.trial import same_outputs, sample_outputs, trial_input, trial_parts
from shared.errors import DamageError, ModelError, WrongResultError
from shared.model.normalising import PixelTable
from shared.model.spec import Preprocessing
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.stage import Form
    from shared.model.arrays import Array, FeatureMap


def open_session(
    model: bytes | Path,
    threads: int,
    options: Mapping[str, object] | None = None,
    entries: Mapping[str, str] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401  (onnxruntime has no type information)
    """Open an onnxruntime session on the CPU with `threads` threads that do not spin while they wait.

    `options` are attributes of SessionOptions, `entries` its configuration entries, `shared` initializers by name.
    Raises ModelError when onnxruntime cannot load the model.
    """
    import onnxruntime  # noqa: PLC0415  (a gateway of whole frames opens no session, and saves its memory)

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    settings.enable_mem_pattern = False  # tiles differ in size, so patterns would raise the peak
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
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise ModelError(f"onnxruntime cannot load the model: {str(error).splitlines()[0]}") from error


def read_manifest(folder: Path) -> ProgramManifest:
    """Return the manifest of a prepared program. Raises DamageError when it is missing or damaged."""
    try:
        return ProgramManifest.decode((folder / MANIFEST_FILE).read_bytes())
    except OSError as error:
        raise DamageError(f"{folder / MANIFEST_FILE} cannot be read: {system_reason(error)}") from error
    except ValueError as error:
        raise DamageError(f"{folder / MANIFEST_FILE} is damaged: {error}") from error


def picture_table(session: Any) -> PixelTable | None:  # noqa: ANN401  (onnxruntime has no type information)
    """Return the table for the picture of a whole network; None for a program of tiles, which reads pixels."""
    preprocessing = session.get_modelmeta().custom_metadata_map.get(WHOLE_METADATA)
    return None if preprocessing is None else PixelTable(Preprocessing.model_validate_json(preprocessing))


class TileEngine(Protocol):
    """Runs the program of a stage, for tiles of every kind, with one copy of the weights.

    An engine with `reuses` False supports no strips: tiles neither take nor give any. `lanes.count` threads may call
    `run` at the same time.
    """

    name: str
    reuses: bool
    lanes: TileLanes

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        """Compute one tile from its part of each input: pixels, uint8 (h, w, 3), or maps, float32 (1, C, h, w).

        `strips` are those that the form takes, in its order, each (1, C, h, w) of the type of its map.
        Returns the tile's part of each map at the cut, float32 (1, C, h, w), and the strips that the form gives; for a
        whole network its outputs, in order, of any type and shape.
        """


class PaddingEngine:
    """The plain engine: one session with the pads as an input. It works for every program.

    For the program of a whole network it is an ordinary session of onnxruntime.
    """

    name = "plain"
    reuses = False

    def __init__(self, program: bytes | Path, threads: int = 1) -> None:
        self.lanes = TileLanes(1, threads)
        self._session = open_session(program, threads, entries={"session.use_env_allocators": "1"})
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._table = picture_table(self._session)

    def trial_parts(self, form: Form) -> list[Array]:
        """Return the parts of the trial tile."""
        return trial_parts(self._session, form)

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        assert not strips, "the plain engine takes no strips"
        feeds = [_batch(part) for part in _program_inputs(parts, self._table)]
        if len(self._inputs) > len(parts):
            amounts = np.zeros((len(form.pads), 8), np.int64)
            amounts[:, (2, 3, 6, 7)] = form.pads
            feeds.append(amounts)
        return self._session.run(None, dict(zip(self._inputs, feeds, strict=True))), []


class SpecialEngine:
    """A program specialised for one form, in an ordinary session."""

    name = "special"
    reuses = True

    def __init__(self, program: bytes, threads: int = 1) -> None:
        self.lanes = TileLanes(1, threads)
        self._session = open_session(program, threads)
        self._table = picture_table(self._session)

    def trial_input(self, form: Form) -> tuple[list[Array], list[Array]]:
        """Return the parts and the strips of the trial tile."""
        return trial_input(self._session, form)

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        return _run_special(self._session, form, _program_inputs(parts, self._table), strips)


class PreparedEngine:
    """The fast engine: a small session for each kind of tile, prepared by shared.engine.preparing.

    All sessions map the same files of weights, and share the arena of shared.engine.arena if there is one. Several
    threads may use one session at the same time. With several lanes, a tile that begins while no other one runs gets
    the threads of all lanes, because no other tile waits for these cores, and it is ready sooner.
    """

    name = "prepared"
    reuses = True

    def __init__(
        self, folder: Path, manifest: ProgramManifest, lanes: TileLanes = ONE_LANE, profile: Path | None = None
    ) -> None:
        """Open all sessions. Raises ModelError when onnxruntime cannot load a model, OSError for missing files.

        With `profile`, the first part of a path, all runs are profiled, see end_profiles.
        """
        self.lanes = lanes
        self._profile = profile
        self._files: dict[str, Array] = {}
        self._values: dict[tuple[str, int, tuple[int, ...]], Any] = {}
        self._sessions = {kind.form.kind: self._open(folder, kind, lanes.threads) for kind in manifest.kinds}
        self._wide_sessions = self._sessions
        if lanes.count > 1:
            threads = lanes.count * lanes.threads
            self._wide_sessions = {kind.form.kind: self._open(folder, kind, threads) for kind in manifest.kinds}
        self._running = 0
        self._counting = threading.Lock()
        self._table = next((picture_table(session) for session in self._sessions.values()), None)

    @classmethod
    def open_checked(
        cls, folder: Path, manifest: ProgramManifest, lanes: TileLanes = ONE_LANE, largest_cells: float = math.inf
    ) -> PreparedEngine:
        """Open the engine after checking its files, and its results for the trial tiles.

        The program may have been prepared for larger tiles than the plan has. Kinds of more than `largest_cells` cells
        are not run, because they would need more memory than the plan allows.
        Raises DamageError, which names the file, and WrongResultError.
        """
        for name, expected in manifest.files.items():
            try:
                if file_checksum(folder / name) != expected:
                    raise DamageError(f"{folder / name} is damaged: its checksum differs")
            except OSError as error:
                raise DamageError(f"{folder / name} cannot be read: {system_reason(error)}") from error
        try:
            engine = cls(folder, manifest, lanes)
        except (ModelError, OSError, ValueError, TypeError) as error:
            raise DamageError(f"{folder} cannot be used: {error}") from error
        for kind in manifest.kinds:
            if kind.form.cells <= largest_cells and not same_outputs(engine.run_trial(kind.form), kind.answers):
                raise WrongResultError(f"{folder / kind.file} computes other results than when it was prepared")
        return engine

    def run_trial(self, form: Form) -> tuple[float, ...]:
        """Return a sample of the results for the trial tile of a form."""
        maps, given = self.run(form, *self.trial_input(form))
        return sample_outputs([*maps, *given])

    def trial_input(self, form: Form) -> tuple[list[Array], list[Array]]:
        """Return the parts and the strips of the trial tile."""
        return trial_input(self._sessions[form.kind], form)

    def _open(self, folder: Path, kind: PreparedKind, threads: int) -> Any:  # noqa: ANN401
        import onnxruntime  # noqa: PLC0415  (as in open_session)

        shared = {}
        for weight in kind.weights:
            key = weight.file, weight.offset, weight.shape
            if weight.file not in self._files:
                self._files[weight.file] = np.memmap(folder / weight.file, np.uint8, "r")
            if key not in self._values:
                dtype = np.dtype(weight.dtype)
                size = int(np.prod(weight.shape)) * dtype.itemsize
                array = self._files[weight.file][weight.offset : weight.offset + size].view(dtype).reshape(weight.shape)
                self._values[key] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            shared[weight.name] = self._values[key]
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # the model is optimised already
        options: dict[str, object] = {"graph_optimization_level": level}
        if self._profile is not None:
            options |= {"enable_profiling": True, "profile_file_prefix": str(self._profile)}
        entries = {"session.use_env_allocators": "1"}
        return open_session(folder / kind.file, threads, options, entries, shared)

    def end_profiles(self) -> list[Path]:
        """End the profiles of all kinds of tile; return their files, in onnxruntime's format (JSON)."""
        return [Path(session.end_profiling()) for session in self._sessions.values()]

    def run(
        self, form: Form, parts: Sequence[Array], strips: Sequence[Array] = ()
    ) -> tuple[list[FeatureMap], list[Array]]:
        with self._counting:
            sessions = self._sessions if self._running else self._wide_sessions
            self._running += 1
        try:
            return _run_special(sessions[form.kind], form, _program_inputs(parts, self._table), strips)
        finally:
            with self._counting:
                self._running -= 1


def _run_special(
    session: Any,  # noqa: ANN401  (onnxruntime has no type information)
    form: Form,
    parts: Sequence[Array],
    strips: Sequence[Array],
) -> tuple[list[FeatureMap], list[Array]]:
    """Run a program for one form: inputs are parts, then strips; outputs are maps, then strips."""
    names = [value.name for value in session.get_inputs()]
    results = session.run(None, dict(zip(names, (_batch(part) for part in (*parts, *strips)), strict=True)))
    count = len(results) - len(form.given)
    return results[:count], results[count:]


def _program_inputs(parts: Sequence[Array], table: PixelTable | None) -> Sequence[Array]:
    """Return the parts as the program reads them: normalised by `table` for a whole network, else unchanged."""
    return parts if table is None else [table.apply(part) for part in parts]


def _batch(part: Array) -> Array:
    """Return a part as a contiguous array; pixels, which have no batch axis, get one."""
    return np.ascontiguousarray(part if part.ndim == 4 else part[np.newaxis])


class NetworkSession:
    """Runs an ordinary model, such as the tail or the unpartitioned head."""

    def __init__(self, model: bytes | Path, threads: int = 1) -> None:
        self._session = open_session(model, threads)
        self.inputs: tuple[str, ...] = tuple(value.name for value in self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(value.name for value in self._session.get_outputs())

    def run(self, maps: Mapping[str, FeatureMap]) -> dict[str, FeatureMap]:
        """Compute all outputs, by name, from all inputs, by name."""
        return dict(zip(self.outputs, self._session.run(None, dict(maps)), strict=True))
