from __future__ import annotations

from itertools import product

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from shared.ftp.axes import Enlarged, Transposed, Window
from tests.networks import model_of

LENGTH = 7
ROUNDINGS = ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]


def influence(op, weights, **attributes):
    """For each output cell of one row, the input cells that change it, as onnxruntime computes it."""
    node = helper.make_node(op, ["image", *weights], ["made"], "layer", **attributes)
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items() if name]
    model = model_of([node], constants, {"image": (1, 1, 1, LENGTH)}, {"made": None})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = [session.run(None, {"image": cells.reshape(1, 1, 1, -1)})[0][0, 0, 0] for cells in np.eye(LENGTH, dtype="f")]
    return [np.flatnonzero(column) for column in np.stack(rows, axis=1)]


def assert_needs_what_matters(axis, influences, *, exactly):
    """Every cell that matters is needed and, when `exactly`, the first and the last of what is needed matter."""
    for first in range(len(influences)):
        for end in range(first + 1, len(influences) + 1):
            cells = np.concatenate(influences[first:end])
            needed = axis.input_range(first, end)
            made = axis.output_range(*needed)
            assert made[0] <= first
            assert made[1] >= end
            if len(cells):
                assert needed[0] <= cells.min()
                assert needed[1] > cells.max()
            if exactly:
                assert (max(0, needed[0]), min(LENGTH, needed[1])) == (cells.min(), cells.max() + 1)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel", "pytorch_half_pixel"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_an_enlargement_of_nearest_cells_needs_those_that_it_takes(factor, coordinates, rounding):
    scales = {"": None, "scales": np.array([1, 1, 1, factor], np.float32)}
    influences = influence(
        "Resize", scales, mode="nearest", coordinate_transformation_mode=coordinates, nearest_mode=rounding
    )
    axis = Enlarged(LENGTH, factor, coordinates != "asymmetric", rounding)
    usual = rounding == "floor" if coordinates == "asymmetric" else rounding.startswith("round")
    assert_needs_what_matters(axis, influences, exactly=usual)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel"])
def test_a_linear_enlargement_needs_the_cells_on_both_sides(factor, coordinates):
    scales = {"": None, "scales": np.array([1, 1, 1, factor], np.float32)}
    influences = influence("Resize", scales, mode="linear", coordinate_transformation_mode=coordinates)
    axis = Enlarged(LENGTH, factor, coordinates != "asymmetric", "linear")
    assert_needs_what_matters(axis, influences, exactly=False)
    assert all(
        axis.input_range(cell, cell + 1)[1] - axis.input_range(cell, cell + 1)[0] <= 2
        for cell in range(factor * LENGTH)
    )


TRANSPOSED = [
    (kernel, stride, dilation, before, spare)
    for kernel, stride, dilation, before, spare in product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2), (0, 1), (0, 1))
    if spare < stride and 2 * before <= (kernel - 1) * dilation  # onnxruntime computes no others
]


@pytest.mark.parametrize(("kernel", "stride", "dilation", "before", "spare"), TRANSPOSED)
def test_a_transposed_convolution_needs_the_cells_whose_windows_touch(kernel, stride, dilation, before, spare):
    influences = influence(
        "ConvTranspose", {"weight": np.ones((1, 1, 1, kernel), np.float32)}, kernel_shape=[1, kernel],
        strides=[1, stride], dilations=[1, dilation], pads=[0, before, 0, before], output_padding=[0, spare],
    )  # fmt: skip
    axis = Transposed(LENGTH, kernel, stride, dilation, before)
    dense = dilation == 1 and kernel >= stride and not spare
    assert_needs_what_matters(axis, influences, exactly=dense)


@given(
    kernel=st.integers(1, 5), stride=st.integers(1, 4), dilation=st.integers(1, 3), before=st.integers(-3, 4),
    first=st.integers(0, 9), count=st.integers(1, 9),
)  # fmt: skip
def test_a_window_makes_exactly_what_it_was_asked_for(kernel, stride, dilation, before, first, count):
    window = Window(kernel, stride, dilation, before)
    assert window.output_range(*window.input_range(first, first + count)) == (first, first + count)
