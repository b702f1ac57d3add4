from __future__ import annotations

import onnx

from shared.model.darknet import load_darknet
from shared.model.loading import describe_network
from tests import darknet_files
from tests.darknet_files import head_conv, net, yolo
from tests.unit.shared.model.darknet.running import (
    EVERY_NETWORK,
    SIZE,
    constants_of,
    image_of,
    run,
    shape_of,
)


@EVERY_NETWORK
def test_the_model_is_valid_and_says_the_shape_of_every_tensor(network, tmp_path):
    files = getattr(darknet_files, network)(tmp_path, size=(96, 160), width=1 / 8, classes=2)
    model = load_darknet(files.cfg, files.weights).model
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 21)]
    assert model.ir_version == 10
    assert [(value.name, shape_of(value)) for value in model.graph.input] == [("image", (1, 3, 96, 160))]
    made = run(model, image_of((96, 160)))
    said = {value.name: shape_of(value) for value in (*model.graph.value_info, *model.graph.output)}
    assert {name: value.shape for name, value in made.items()} == said
    assert said.keys() == {name for node in model.graph.node for name in node.output}
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    assert describe_network(model, network).shapes.items() >= said.items()


def test_maps_are_named_by_darknets_numbers_and_detection_layers_make_none(tmp_path):
    files = darknet_files.yolov3_tiny(tmp_path, size=(64, 64), width=1 / 8, classes=2)
    model = load_darknet(files.cfg, files.weights).model
    made = [name for node in model.graph.node for name in node.output]
    assert [name for name in made if "." not in name] == [f"layer_{n:02d}" for n in range(24) if n not in {16, 23}]
    assert made[:3] == ["layer_00.conv", "layer_00", "layer_01"]
    assert constants_of(model)["layer_00.weight"].shape == (8, 3, 3, 3)


def test_the_outputs_are_the_maps_of_the_heads_in_the_order_of_the_cfg(tmp_path):
    files = darknet_files.yolov4_tiny(tmp_path, size=(64, 64), width=1 / 8, classes=2)
    imported = load_darknet(files.cfg, files.weights)
    assert [head.output for head in imported.heads] == ["layer_29", "layer_36"]
    assert {value.name: shape_of(value) for value in imported.model.graph.output} == {
        "layer_29": (1, 21, 2, 2),
        "layer_36": (1, 21, 4, 4),
    }
    assert imported.classes == 2


def test_an_image_may_have_other_channels(load):
    model = load(net(SIZE, channels=1), head_conv(6), yolo("0", "4,4", 1)).model
    assert shape_of(model.graph.input[0]) == (1, 1, *SIZE)
    assert run(model, image_of(SIZE, 1))["layer_00"].shape == (1, 6, *SIZE)
