"""The trial tile of a form: a fixed input, for which a machine without faults always computes the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engine.program_manifest import PIXELS_INPUT, WHOLE_METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.stage import Form
    from shared.model.arrays import Array

_SAMPLES_PER_OUTPUT = 256
"""Values kept of each output, evenly spaced: a wrong weight of a convolution changes a whole channel."""

_TOLERANCE = 1e-5
"""Allowed difference of two runs, relative to the largest value: threads may sum in another order."""

_NOISE_PERIOD = 251
"""A prime, so that neighbouring cells differ in every row."""

_TYPES = {"float": np.float32, "float16": np.float16, "uint8": np.uint8, "int8": np.int8, "int32": np.int32}
"""numpy's types by onnxruntime's names of element types."""


def trial_input(session: Any, form: Form) -> tuple[list[Array], list[Array]]:  # noqa: ANN401  (onnxruntime is untyped)
    """Return the parts and the strips of the trial tile, for a session that runs this form."""
    sizes = (*form.sizes, *(strip[2:] for strip in form.taken))
    if WHOLE_METADATA in session.get_modelmeta().custom_metadata_map:
        return [_noise_pixels(size) for size in sizes], []
    arrays = [_noise(value, size) for value, size in zip(session.get_inputs(), sizes, strict=True)]
    return arrays[: len(form.sizes)], arrays[len(form.sizes) :]


def trial_parts(session: Any, form: Form) -> list[Array]:  # noqa: ANN401
    """Return the parts of the trial tile, for a session whose inputs are the parts and others behind them."""
    if WHOLE_METADATA in session.get_modelmeta().custom_metadata_map:
        return [_noise_pixels(size) for size in form.sizes]
    return [_noise(value, size) for value, size in zip(session.get_inputs(), form.sizes, strict=False)]


def sample_outputs(outputs: Sequence[Array]) -> tuple[float, ...]:
    """Return some values of each output, and its largest absolute value, which is not finite if any value is not."""
    return tuple(
        float(value)
        for output in outputs
        if output.size
        for value in (
            *output.ravel()[np.linspace(0, output.size - 1, min(_SAMPLES_PER_OUTPUT, output.size)).astype(np.int64)],
            max(abs(float(output.min())), abs(float(output.max()))),
        )
    )


def same_outputs(made: Sequence[float], expected: Sequence[float]) -> bool:
    """Return whether two samples are equal within the tolerance."""
    if len(made) != len(expected):
        return False
    sample, reference = np.asarray(made), np.asarray(expected)
    return bool(np.all(np.abs(sample - reference) <= _TOLERANCE * max(1e-3, np.abs(reference).max(initial=0.0))))


def _noise(value: Any, size: tuple[int, int]) -> Array:  # noqa: ANN401
    """Return noise for an input: pixels (h, w, 3), or a part of a map (1, C, h, w).

    It needs little memory, unlike a random generator; its period has no common factor with any width.
    """
    if value.name == PIXELS_INPUT:
        return _noise_pixels(size)
    kind = _TYPES[value.type.removeprefix("tensor(").removesuffix(")")]
    cells = _noise_cells() % 100 if np.issubdtype(kind, np.integer) else _noise_cells() / _NOISE_PERIOD * 4 - 2
    return np.resize(cells.astype(kind), (1, value.shape[1], *size))


def _noise_pixels(size: tuple[int, int]) -> Array:
    return np.resize(_noise_cells().astype(np.uint8), (*size, 3))


def _noise_cells() -> Array:
    return np.arange(_NOISE_PERIOD, dtype=np.int64) ** 3 % _NOISE_PERIOD
