"""Read Darknet's .weights: a header, then the numbers of all convolutional layers in order."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ModelError
from shared.model.loading import MAX_MODEL_BYTES
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

    from shared.model.arrays import FloatArray
    from shared.model.darknet.config import DarknetSection

_FLOAT = np.dtype("<f4")

MAX_VERSION = 1000
"""Larger version numbers mark transposed weights, which are not supported; no known network has them."""

EPSILON = 1e-6
"""Added to the standard deviation of batch normalisation; Darknet does not add it to the variance, as others do."""


class DarknetWeights:
    """Reads the layers' numbers in order from the mapped file."""

    def __init__(self, path: Path) -> None:
        """Map the file. Raises ModelError when it cannot be read or is not Darknet's."""
        self._path = path
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                header = file.read(20)
            if size > MAX_MODEL_BYTES:
                raise ModelError(f"weights {path} are larger than an ONNX file can be (2 GiB)")
            self._position = _header_bytes(path, header)
            self._bytes = np.memmap(path, np.uint8, "r")
        except OSError as error:
            raise ModelError(f"weights {path} cannot be read: {system_reason(error)}") from error

    def read_convolution(
        self, section: DarknetSection, shape: tuple[int, ...], *, normalised: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Read kernels of `shape` (filters, channels / groups, size, size) and biases (filters,), float32.

        Batch normalisation is folded into them. Raises ModelError when the file is too short or numbers are invalid.
        """
        filters, kernel_count = shape[0], math.prod(shape)
        columns = 4 if normalised else 1
        self._require(section, columns * filters + kernel_count)
        per_filter = self._take(columns * filters).reshape(columns, filters)
        kernels = self._take(kernel_count).reshape(shape)
        if not np.isfinite(per_filter).all() or (normalised and (per_filter[3] < 0).any()):
            raise self._invalid_numbers(section)
        if normalised:
            kernels, biases = _fold(per_filter, kernels)
        else:
            biases = per_filter[0]
        if not (np.isfinite(kernels).all() and np.isfinite(biases).all()):
            raise self._invalid_numbers(section)
        return kernels, biases

    def check_all_read(self) -> None:
        """Raise ModelError when the file has more bytes than the layers have read."""
        left = len(self._bytes) - self._position
        if left:
            raise ModelError(
                f"weights {self._path} have {len(self._bytes)} bytes, but the layers of the cfg need {self._position}, "
                f"{left} fewer; use the cfg that belongs to them"
            )

    def _require(self, section: DarknetSection, count: int) -> None:
        needed, left = count * _FLOAT.itemsize, len(self._bytes) - self._position
        if needed > left:
            raise ModelError(
                f"weights {self._path} end in layer {section.number} [{section.kind}], which needs {needed} bytes; "
                f"{left} are left; they are incomplete, or belong to another cfg than {section.file}"
            )

    def _take(self, count: int) -> FloatArray:
        start = self._position
        self._position += count * _FLOAT.itemsize
        return self._bytes[start : self._position].view(_FLOAT)

    def _invalid_numbers(self, section: DarknetSection) -> ModelError:
        return ModelError(
            f"weights {self._path} have invalid numbers for layer {section.number} [{section.kind}]; they are "
            f"damaged, or belong to another cfg than {section.file}"
        )


def _header_bytes(path: Path, header: bytes) -> int:
    """Return the length of the header: version 0.2 widened the count of training pictures from 4 to 8 bytes."""
    versions = struct.unpack("<2i", header[:8]) if len(header) >= 8 else (-1, -1)
    length = 20 if versions[0] * 10 + versions[1] >= 2 else 16
    if any(not 0 <= version < MAX_VERSION for version in versions) or len(header) < length:
        raise ModelError(f"{path} is not a Darknet .weights file: it does not begin with a version and a count")
    return length


def _fold(per_filter: FloatArray, kernels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fold scale * (x - mean) / deviation + bias into kernels and biases, rounded once, to float32."""
    biases, scales, means, variances = per_filter.astype(np.float64)
    factors = scales / (np.sqrt(variances) + EPSILON)
    folded = np.empty(kernels.shape, _FLOAT)
    with np.errstate(over="ignore", invalid="ignore"):
        np.multiply(kernels, factors[:, None, None, None], out=folded, dtype=np.float64, casting="same_kind")
        return folded, (biases - means * factors).astype(_FLOAT)
