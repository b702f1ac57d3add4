from __future__ import annotations

import pytest

from shared.errors import ModelError
from shared.model.darknet import load_darknet
from tests import darknet_files
from tests.darknet_files import conv, head_conv, net, pool, region, yolo
from tests.unit.shared.model.darknet.running import (
    BEFORE,
    SIZE,
)


def test_a_region_has_its_anchors_in_cells(load):
    (head,) = load(net((64, 96)), conv(4, 3, stride=32), head_conv(16), region("0.5,0.75, 2,1.5", 3)).heads
    assert head.kind == "region"
    assert head.output == "layer_01"
    assert head.anchors == ((16, 24), (64, 48))
    assert head.scale_x_y == 1


def test_a_yolo_chooses_its_anchors_which_are_in_pixels(load):
    sections = [net((64, 96)), conv(4, 3, stride=16), head_conv(16), yolo("2, 0", "1,2, 3,4, 5.5,6", 3, scale_x_y=1.05)]
    imported = load(*sections)
    (head,) = imported.heads
    assert head.kind == "yolo"
    assert head.anchors == ((5.5, 6), (1, 2))
    assert head.scale_x_y == 1.05
    assert imported.classes == 3


def test_a_yolo_without_a_mask_has_all_anchors_and_20_classes(load):
    kind, options = yolo("", "1,2, 3,4", 20)
    del options["mask"], options["classes"]
    imported = load(net(SIZE), head_conv(50), (kind, options))
    assert imported.heads[0].anchors == ((1, 2), (3, 4))
    assert imported.classes == 20


def test_a_region_that_says_little_has_one_anchor_and_four_coordinates(load):
    sections = [net(SIZE), head_conv(6), ("region", {"anchors": "2,3", "classes": 1, "softmax": 1})]
    assert load(*sections).heads[0].anchors == ((2, 3),)


def test_a_head_behind_an_upsample_has_the_finer_stride(load):
    sections = [net((64, 96)), conv(4, 3, stride=32), ("upsample", {"stride": 4}), head_conv(6), region("2,3", 1)]
    assert load(*sections).heads[0].anchors == ((16, 24),)


def test_heads_of_both_kinds_are_in_the_order_of_the_cfg(tmp_path):
    files = darknet_files.everything(tmp_path)
    heads = load_darknet(files.cfg, files.weights).heads
    assert [(head.kind, head.output) for head in heads] == [("yolo", "layer_15"), ("region", "layer_20")]
    assert heads[0].anchors == ((30, 25), (10, 20))
    assert heads[1].anchors == ((8, 11.2), (32, 24))


YOLO = yolo("0,1", "4,4, 8,8", 1)
REGION = region("0.5,0.7, 2,1.5", 1)


@pytest.mark.parametrize(
    ("head", "changes", "message"),
    [
        (YOLO, {"classes": 2}, r"\[yolo\] with 2 anchors and 2 classes reads 14 channels, but layer_00 has 12"),
        (YOLO, {"classes": 0}, "classes=0 must be 1 or more"),
        (YOLO, {"mask": "0"}, "with 1 anchors and 1 classes reads 6 channels"),
        (YOLO, {"mask": "0,2"}, "mask=0,2 must choose from the anchors 0 to 1"),
        (YOLO, {"mask": "0,-1"}, "mask=0,-1 must choose from the anchors 0 to 1"),
        (YOLO, {"mask": "0,"}, "mask=0, is not a list of integers"),
        (YOLO, {"anchors": "4,4,8"}, "anchors=4,4,8 has 3 numbers; num=2 needs 4"),
        (YOLO, {"num": 3}, "has 4 numbers; num=3 needs 6"),
        (YOLO, {"anchors": "4,4,8,0"}, "must all be larger than 0"),
        (YOLO, {"anchors": "4,4,8,x"}, "anchors=4,4,8,x is not a list of numbers"),
        (YOLO, {"anchors": None}, r"has no anchors="),
        (YOLO, {"scale_x_y": 0.9}, "scale_x_y=0.9 must be 1 or more"),
        (YOLO, {"scale_x_y": "nan"}, "scale_x_y=nan is not a number"),
        (YOLO, {"new_coords": 1}, "new_coords=1 is not supported; only new_coords=0 is"),
        (REGION, {"softmax": 0}, "softmax=0 is not supported; only softmax=1 is"),
        (REGION, {"softmax": None}, "only softmax=1 is"),
        (REGION, {"coords": 5}, "coords=5 is not supported; only coords=4 is"),
        (REGION, {"tree": "9k.tree"}, "tree=9k.tree is not supported"),
        (REGION, {"classfix": -1}, "classfix=-1 is not supported; only classfix=0 is"),
        (REGION, {"num": 5}, "has 4 numbers; num=5 needs 10"),
    ],
)
def test_a_head_that_contradicts_itself_is_refused(head, changes, message, refuse):
    options = {key: value for key, value in {**head[1], **changes}.items() if value is not None}
    refuse([net(SIZE), head_conv(12), (head[0], options)], rf"network\.cfg line \d+: layer 1 .*{message}")


@pytest.mark.parametrize("head", [YOLO, REGION], ids=["yolo", "region"])
@pytest.mark.parametrize("size", [(64, 100), (100, 64), (80, 64)], ids=str)
def test_a_size_that_is_no_multiple_of_the_stride_is_refused(head, size, load):
    with pytest.raises(
        ModelError, match=r"layer 2 \[.*not the whole image of .*; make width and height .* multiples of 32"
    ):
        load(net(size), conv(4, 3, stride=32), head_conv(12), head)


def test_a_head_finer_than_the_image_is_refused(load):
    with pytest.raises(ModelError, match="of 1/2 x 1/2 pixels"):
        load(net(SIZE), head_conv(12), ("upsample", {"stride": 2}), YOLO)


def test_heads_of_different_classes_are_refused(load):
    with pytest.raises(ModelError, match=r"network\.cfg: .* different numbers of classes: \[1, 7\]"):
        load(*BEFORE, yolo("0", "4,4", 7))


def test_a_head_needs_a_map(load):
    with pytest.raises(ModelError, match=r"layer 0 \[yolo\] is the first layer"):
        load(net(SIZE, channels=12), YOLO)


def test_what_follows_a_head_must_be_a_route(load):
    with pytest.raises(ModelError, match=r"layer 2 \[maxpool\] follows a detection layer.* insert a \[route\]"):
        load(net(SIZE), head_conv(12), YOLO, pool(2, 2))


def test_a_network_that_detects_nothing_is_refused(load):
    with pytest.raises(ModelError, match=r"network\.cfg detects nothing: it has no \[region\] and no \[yolo\] layer"):
        load(net(SIZE), conv(12, 3))
