from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper

from shared.model.first_layers import FirstLayers, first_layers
from shared.model.plain import to_plain_form
from shared.model.spec import Preprocessing
from tests.networks import exported_model

CONSTANTS = {
    "mean": np.array([123.7, 116.3, 103.5]).reshape(1, 3, 1, 1), "std": np.array([58.4, 57.1, 57.4]).reshape(3, 1, 1),
    "mean_of_parts": np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1), "std_of_parts": np.full((1, 3, 1, 1), 0.226),
    "white": np.array(255.0), "two": np.array(2.0), "one": np.array(1.0), "cells": np.ones((1, 1, 8, 8)),
}  # fmt: skip
NUMBERS = {"order": [2, 1, 0], "same": [0, 1, 2], "last": [-1], "first": [-9], "axis": [1], "back": [-1]}


def after(*layers):
    """Analyse a network that begins with these layers: operator and constants."""
    nodes, source = [], "image"
    for number, (op, *constants) in enumerate(layers):
        attributes = {"axis": 1} if op in {"Gather", "Concat"} else {}
        nodes.append(helper.make_node(op, [source, *constants], [f"t{number}"], f"t{number}", **attributes))
        source = f"t{number}"
    nodes.append(helper.make_node("Conv", [source, "kernel"], ["made"], "conv", kernel_shape=[1, 1]))
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in CONSTANTS.items()]
    weights += [numpy_helper.from_array(np.array(value), name) for name, value in NUMBERS.items()]
    weights.append(numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "kernel"))
    return first_layers(to_plain_form(exported_model(nodes, weights, {"image": (1, 3, 8, 8)}, {"made": None})), "image")


SLICE_BACK = ("Slice", "last", "first", "axis", "back")


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([], FirstLayers()),
        ([("Relu",)], FirstLayers()),
        ([("Sub", "mean"), ("Div", "std")], FirstLayers(255)),
        ([("Sub", "mean")], FirstLayers(255)),
        ([("Div", "white")], FirstLayers(255)),
        ([("Div", "white"), ("Sub", "mean_of_parts"), ("Div", "std_of_parts")], FirstLayers(255)),
        ([("Sub", "mean_of_parts"), ("Div", "std_of_parts")], FirstLayers(1)),
        ([("Mul", "two"), ("Sub", "one")], FirstLayers(1)),
        ([("Gather", "order")], FirstLayers(None, flips=True)),
        ([("Gather", "same")], FirstLayers()),
        ([SLICE_BACK], FirstLayers(None, flips=True)),
        ([("Gather", "order"), ("Sub", "mean"), ("Div", "std")], FirstLayers(255, flips=True)),
        ([("Mul", "cells")], FirstLayers()),
    ],
)
def test_the_first_layers_tell_which_pixels_a_network_wants(layers, found):
    assert after(*layers) == found


def test_a_flip_by_split_and_concat_is_seen():
    nodes = [
        helper.make_node("Split", ["image", "parts"], ["r", "g", "b"], axis=1),
        helper.make_node("Concat", ["b", "g", "r"], ["flipped"], axis=1),
        helper.make_node("Conv", ["flipped", "kernel"], ["made"], kernel_shape=[1, 1]),
    ]
    weights = [
        numpy_helper.from_array(np.array([1, 1, 1]), "parts"),
        numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "kernel"),
    ]
    model = to_plain_form(exported_model(nodes, weights, {"image": (1, 3, 8, 8)}, {"made": None}))
    assert first_layers(model, "image") == FirstLayers(None, flips=True)


@pytest.mark.parametrize(
    ("found", "changes"),
    [
        (FirstLayers(), {}),
        (FirstLayers(255), {"std": (1, 1, 1)}),
        (FirstLayers(1), {"std": (255, 255, 255)}),
        (FirstLayers(None, flips=True), {"channels": "bgr", "mean": (9, 9, 9), "std": (8, 8, 8)}),
    ],
)
def test_what_the_network_does_itself_is_not_done_before_it(found, changes):
    usual = Preprocessing(channels="rgb", mean=(9, 9, 9), std=(8, 8, 8), fill=114)
    base = {"fill": 114} if not changes or "mean" in changes else {"fill": 114, "mean": (0, 0, 0)}
    expected = Preprocessing(**({"mean": (9, 9, 9), "std": (8, 8, 8)} | base | changes))
    assert found.adapt(usual) == expected
