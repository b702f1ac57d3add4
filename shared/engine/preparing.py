"""Prepare a program for this machine: a small model for each kind of tile, and one file of weights for all.

onnxruntime's optimisation reorders weights into the blocked layout of its fast kernels, and each session would keep a
copy. Here every kind is optimised once; the resulting weights are the same for all kinds, are written once, and
sessions map the file. The files fit this processor and this version of onnxruntime only, and are checked against
ordinary sessions. This runs in a process of its own, so that the worker does not keep its memory, and under limits, so
that a program that loops or asks for too much memory harms nobody:

    python -P -m shared.engine.preparing PROGRAM FOLDER MEMORY_BYTES PROCESSOR_S < forms.json
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from shared.engine.preparing_limits import PreparingLimits, is_out_of_memory
from shared.engine.program_check import check_program
from shared.engine.program_manifest import (
    ALIGNMENT_BYTES,
    EMPTY_FILE,
    EXIT_EXCEEDED,
    EXIT_NOT_EXACT,
    EXIT_REFUSED,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    PreparedKind,
    ProgramManifest,
    StoredWeight,
    file_checksum,
    form_from_json,
)
from shared.engine.sessions import PaddingEngine, PreparedEngine, SpecialEngine, open_session
from shared.engine.specialising import specialise
from shared.engine.trial import sample_outputs
from shared.engine.whole_program import is_whole
from shared.errors import DeepThingsError, ModelError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from shared.engine.sessions import TileEngine
    from shared.ftp.stage import Form
    from shared.model.arrays import Array

MIN_SHARED_BYTES = 256
"""Smaller constants stay in the models: shapes, scales, amounts."""

COMPARED_RUNS = 15
MAX_COMPARING_S = 5.0
"""To compare their speed, the prepared and the ordinary session of a whole network run in turns: at most this many
times each, and at most this long."""

MAX_SLOWDOWN = 1.1
MAX_LOSS_S = 5e-4
"""A prepared session may take MAX_SLOWDOWN times as long as an ordinary one, and MAX_LOSS_S more: it needs less memory,
and smaller differences may be noise."""

MIN_OWN_FILE_BYTES = 2**16
"""Arrays of at least this size get a file of their own, which the programs of one network share."""

_MAX_DEVIATION = 1e-5
"""Largest allowed difference from an ordinary session, in standard deviations of the maps."""


def prepare_program(program: Path, forms: Sequence[Form], folder: Path) -> ProgramManifest:
    """Write the models and weights for tiles of these forms, one of each kind, into `folder`; return its manifest.

    Raises ModelError when the optimised weights differ between kinds, when results differ from those of an ordinary
    session, or when an ordinary session is clearly faster.
    """
    loaded = onnx.load(program)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EMPTY_FILE).touch()
    described = []
    with (folder / WEIGHTS_FILE).open("wb") as file:
        weights = _WeightFiles(folder, file)
        for number, form in enumerate(forms):
            model = _optimise(_specialised(loaded, form), folder)
            path = f"kind_{number:03d}.onnx"
            stored = tuple(weights.take(tensor) for tensor in _large_constants(model))
            described.append(PreparedKind(path, form, stored))
            (folder / path).write_bytes(model.SerializeToString())
    own = sum(tensor.ByteSize() for tensor in loaded.graph.initializer)
    if weights.size > 2 * own + 2**20 and not is_whole(loaded):
        raise ModelError(
            f"optimised weights differ between kinds of tile: {weights.size} bytes, but the program has {own}"
        )
    kinds = _check_kinds(loaded, folder, described)
    names = {WEIGHTS_FILE, EMPTY_FILE, *(kind.file for kind in kinds)}
    names.update(weight.file for kind in kinds for weight in kind.weights)
    files = {name: file_checksum(folder / name) for name in sorted(names)}
    manifest = ProgramManifest(kinds, files)
    (folder / MANIFEST_FILE).write_bytes(manifest.encode())
    return manifest


def _optimise(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """Return the model as onnxruntime optimises it on this machine; uses a temporary file in `folder`."""
    path = folder / "optimised.onnx"
    open_session(model.SerializeToString(), 1, {"optimized_model_filepath": str(path)})
    optimised = onnx.load(path)
    path.unlink()
    return optimised


def _specialised(program: onnx.ModelProto, form: Form) -> onnx.ModelProto:
    """Return the program specialised for one form; the program of a whole network needs no change."""
    return program if is_whole(program) else specialise(program, form)


def _large_constants(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return the constants that are large enough to be stored outside of the models."""
    types = (TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.FLOAT16)
    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type in types and numpy_helper.to_array(tensor).nbytes >= MIN_SHARED_BYTES
    ]


class _WeightFiles:
    """Writes each distinct array once: small ones into one file, large ones into files of their own.

    A large array that another program of this cache has is linked, so that it is on disk and in memory only once.
    """

    def __init__(self, folder: Path, file: BinaryIO) -> None:
        self._folder = folder
        self._file = file
        self._places: dict[str, tuple[str, int]] = {}
        self._end = self.size = file.write(bytes(ALIGNMENT_BYTES))  # an empty file cannot be mapped

    def take(self, tensor: onnx.TensorProto) -> StoredWeight:
        """Move the values of a tensor from its model to a file; return where they are."""
        array = np.asarray(numpy_helper.to_array(tensor), order="C")
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        if digest not in self._places:
            self._places[digest] = self._write(digest, array)
            self.size += array.nbytes
        weight = StoredWeight(tensor.name, array.dtype.name, tuple(array.shape), *self._places[digest])
        for field in ("raw_data", "float_data", "int32_data", "int64_data"):
            tensor.ClearField(field)
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", EMPTY_FILE), ("offset", weight.offset), ("length", array.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        return weight

    def _write(self, digest: str, array: Array) -> tuple[str, int]:
        """Write an array; return its file and its offset there."""
        if array.nbytes >= MIN_OWN_FILE_BYTES:
            name = f"{digest}.bin"
            if not self._link(name, digest):
                (self._folder / name).write_bytes(array.tobytes())
            return name, 0
        self._end += self._file.write(bytes(-self._end % ALIGNMENT_BYTES))
        place = WEIGHTS_FILE, self._end
        self._end += self._file.write(array.tobytes())
        return place

    def _link(self, name: str, digest: str) -> bool:
        """Link a file that another program in this cache has; return False if there is none, or only damaged ones."""
        for other in self._folder.parent.glob(f"prepared-*/{name}"):
            with contextlib.suppress(OSError):  # it was removed, or this file system has no links
                if file_checksum(other) == digest:
                    os.link(other, self._folder / name)
                    return True
        return False


def _check_kinds(program: onnx.ModelProto, folder: Path, kinds: Sequence[PreparedKind]) -> tuple[PreparedKind, ...]:
    """Compare the results of all kinds with ordinary sessions; return the kinds with samples of their results.

    Raises ModelError when they differ, or when an ordinary session is clearly faster.
    """
    prepared = PreparedEngine(folder, ProgramManifest(tuple(kinds)))
    checked = []
    for number, kind in enumerate(kinds):
        ordinary = SpecialEngine(_specialised(program, kind.form).SerializeToString())
        inputs = ordinary.trial_input(kind.form)
        made, expected = (engine.run(kind.form, *inputs) for engine in (prepared, ordinary))
        for array, reference in zip((*made[0], *made[1]), (*expected[0], *expected[1]), strict=True):
            difference = _largest_difference(array, reference)
            if not difference <= _MAX_DEVIATION * max(1e-3, float(reference.std()) if reference.size else 0.0):
                raise ModelError(
                    f"tiles of kind {number} differ by {difference:.3g} from the results of an ordinary session"
                )
        checked.append(replace(kind, answers=sample_outputs([*made[0], *made[1]])))
        if is_whole(program):
            _compare_speed(prepared, ordinary, kind.form, inputs[0])
    return tuple(checked)


def _largest_difference(made: Array, expected: Array) -> float:
    """Return the largest difference between two arrays, infinite when their shapes differ."""
    if made.shape != expected.shape:
        return float("inf")
    return float(np.abs(np.subtract(made, expected, dtype=np.float64)).max(initial=0.0))


def _compare_speed(prepared: TileEngine, ordinary: TileEngine, form: Form, pixels: Sequence[Array]) -> None:
    """Raise ModelError when an ordinary session of the whole network is clearly faster than the prepared one."""
    times: dict[str, list[float]] = {"prepared": [], "ordinary": []}  # processor time: other programs do not count
    ending = time.monotonic() + MAX_COMPARING_S
    while len(times["ordinary"]) < COMPARED_RUNS and time.monotonic() < ending:
        for name, engine in (("prepared", prepared), ("ordinary", ordinary)):
            begun = time.process_time()
            engine.run(form, pixels)
            times[name].append(time.process_time() - begun)
    prepared_s, ordinary_s = (min(times[name]) for name in ("prepared", "ordinary"))
    if prepared_s > MAX_SLOWDOWN * ordinary_s + MAX_LOSS_S:
        raise ModelError(
            f"an ordinary session is faster: {ordinary_s * 1e3:.1f} ms, against {prepared_s * 1e3:.1f} ms prepared"
        )


def main(arguments: Sequence[str]) -> int:
    """Prepare a program under limits, print the reason of a failure to stderr, and return the exit code.

    0: the folder is ready. EXIT_NOT_EXACT: the program cannot be prepared, but the plain engine may run it.
    EXIT_REFUSED: the program must not be opened in any way. EXIT_EXCEEDED: nor must this one, which takes too much
    memory. 1: a failure that may be temporary.
    """
    import onnxruntime  # noqa: F401, PLC0415  (before the limits are set: its own memory is not the program's)

    program, folder = map(Path, arguments[:2])
    limits = PreparingLimits.from_words(arguments[2:])
    forms = [form_from_json(row) for row in json.load(sys.stdin)]
    limits.impose()
    try:
        code, message = _prepare_or_explain(program, forms, folder)
    except Exception as error:  # onnxruntime's exceptions have no common base class
        if not is_out_of_memory(error):
            raise
        code, message = EXIT_EXCEEDED, limits.memory_exceeded
    print(message, file=sys.stderr)  # noqa: T201  (for the process that started this one)
    return code


def _prepare_or_explain(program: Path, forms: Sequence[Form], folder: Path) -> tuple[int, str]:
    """Return the exit code and the message of `main`. Raises errors that say that memory ran out."""
    begun = time.monotonic()
    try:
        check_program(program)
    except ModelError as error:
        return EXIT_REFUSED, str(error)
    try:
        prepare_program(program, forms, folder)
    except (DeepThingsError, OSError) as error:
        if is_out_of_memory(error):
            raise
        _try_plain(program, forms)
        if isinstance(error, DeepThingsError):
            return EXIT_NOT_EXACT, str(error)
        return 1, f"{folder.parent} cannot be written: {system_reason(error)}"
    return 0, f"{len(forms)} kinds of tile in {time.monotonic() - begun:.1f} s"


def _try_plain(program: Path, forms: Sequence[Form]) -> None:
    """Compute the largest tile with the plain engine, because the edge would next do so without limits.

    Raises errors that say that memory ran out. All other errors are harmless: the edge reports them for each tile.
    """
    largest = max(forms, key=lambda form: form.cells)
    try:
        engine = PaddingEngine(program)
        engine.run(largest, engine.trial_parts(largest))
    except Exception as error:  # of onnxruntime
        if is_out_of_memory(error):
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
