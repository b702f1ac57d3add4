from __future__ import annotations

import re

import numpy as np
import pytest

from shared.detection.decoding.recognition import FAMILIES, choose_family, families_of, family_of
from shared.errors import ModelError
from shared.model.spec import AnchorHead, ModelSpec, Preprocessing

SIZE = (416, 416)
THREE, FOUR = 52 * 52 + 26 * 26 + 13 * 13, 52 * 52 + 26 * 26 + 13 * 13 + 7 * 7
"""Cells of an input of 416x416 at the strides 8, 16, 32, and at 64 as well, where the last one is a part."""

SPLIT = {f"scores_{stride}": (1, cells, 20) for stride, cells in ((8, 2704), (16, 676), (32, 169))} | {
    f"boxes_{stride}": (1, cells, 44) for stride, cells in ((8, 2704), (16, 676), (32, 169))
}
CELLS = {"yolox", "yolox-decoded", "yolov6"}
"""Families with one box for each cell in a row of its own."""

ANCHORS = ((10, 14), (20, 30), (40, 40))


def spec_of(labels=0, decoder=None, heads=()):
    return ModelSpec(
        name="mine",
        file="mine.onnx",
        decoder=decoder,
        labels=tuple(f"label {number}" for number in range(labels)),
        heads=tuple(AnchorHead(output=output, kind="yolo", anchors=ANCHORS) for output in heads),
    )


def names_of(shapes, labels=0, size=SIZE, heads=()):
    """The families that such outputs can come from, by their shapes alone."""
    try:
        return {family.name for family in families_of(shapes, size, spec_of(labels, heads=heads))}
    except ModelError:
        return set()


def one(*shape):
    return {"output": shape}


@pytest.mark.parametrize(
    ("shapes", "labels", "families"),
    [
        (SPLIT, 20, {"nanodet"}),
        (one(1, THREE, 20 + 32), 20, {"nanodet"}),
        (one(1, THREE, 20 + 44), 20, {"nanodet"}),
        (one(1, FOUR, 20 + 32), 20, {"nanodet"}),
        (one(1, THREE, 5 + 20), 20, CELLS),
        (one(1, FOUR, 5 + 20), 20, CELLS),
        (one(1, 3 * THREE, 5 + 20), 20, {"yolov5"}),
        (one(1, 3 * FOUR, 5 + 20), 20, {"yolov5"}),
        (one(1, 4 + 20, THREE), 20, {"yolov8", "yolov8-parts"}),
        (one(1, 4 + 20, FOUR), 20, {"yolov8", "yolov8-parts"}),
        ({"output0": (1, 4 + 20 + 32, THREE), "output1": (1, 32, 104, 104)}, 20, {"yolov8", "yolov8-parts"}),
        ({"output0": (1, 3 * THREE, 5 + 20 + 32), "output1": (1, 32, 104, 104)}, 20, {"yolov5"}),
        ({"scores": (1, 4420, 21), "boxes": (1, 4420, 4)}, 20, {"ssd"}),
        ({"boxes": (1, 4420, 4), "scores": (1, 4420, 2)}, 1, {"ssd"}),
        ({"boxes": (1, 4420, 4), "scores": (1, 4420, 4)}, 3, {"ssd"}),
        ({"boxes": (1, THREE, 4), "scores": (1, THREE, 20)}, 20, {"yolo-nas"}),
        ({"boxes": (1, 300, 4), "logits": (1, 300, 20)}, 20, {"yolo-nas", "d-fine", "rt-detr"}),
        ({"boxes": (1, 300, 4), "logits": (1, 300, 21)}, 20, {"ssd", "detr"}),
        ({"dets": (1, 300, 4), "labels": (1, 300, 20)}, 20, {"yolo-nas", "rf-detr", "rt-detr"}),
        (one(1, 300, 4 + 20), 20, {"rt-detr"}),
        (one(1, 300, 6), 20, {"end2end"}),
        (one(1, 300, 6), 2, {"end2end", "rt-detr"}),
        (one(9, 7), 20, {"end2end"}),
        ({"labels": (1, 300), "boxes": (1, 300, 4), "scores": (1, 300)}, 20, {"detections"}),
        ({"boxes": (9, 4), "labels": (9,), "scores": (9,)}, 20, {"detections"}),
        ({"fetch_0": (9, 6), "fetch_1": (1,)}, 20, {"paddle"}),
    ],
)
def test_families_are_told_apart_by_shapes_and_labels(shapes, labels, families):
    assert names_of(shapes, labels) == families


@pytest.mark.parametrize(
    ("shapes", "families"),
    [
        (SPLIT, {"nanodet"}),
        (one(1, THREE, 37), {"nanodet", *CELLS}),
        (one(1, THREE, 32), CELLS),
        (one(1, THREE, 112), {"nanodet", *CELLS}),
        (one(1, 3 * THREE, 8), {"yolov5"}),
        (one(1, 5, THREE), {"yolov8", "yolov8-parts"}),
        ({"scores": (1, 4420, 2), "boxes": (1, 4420, 4)}, {"ssd", "yolo-nas"}),
        ({"dets": (1, 300, 4), "labels": (1, 300, 91)}, {"ssd", "yolo-nas", "rf-detr", "detr", "rt-detr"}),
    ],
)
def test_without_labels_more_families_can_be_meant_and_the_numbers_must_tell(shapes, families):
    assert names_of(shapes) == families


@pytest.mark.parametrize(("labels", "families"), [(80, CELLS), (53, {"nanodet"}), (41, {"nanodet"})])
def test_one_shape_is_of_several_families_and_the_labels_tell_which(labels, families):
    assert names_of(one(1, THREE, 85), labels) == families


@pytest.mark.parametrize(
    "shapes",
    [
        one(1, 84, 8400),  # of another input size
        one(1, THREE + 1, 85),
        one(1, THREE, 5),
        one(1, 3 * THREE, 5),
        one(1, 4, THREE),
        one(2, THREE, 85),
        one(1, THREE, 1, 85),
        one(1, 1000),
        {"output": (1, THREE, 85), "masks": (1, 32, 104, 104), "more": (1, 32, 104, 104)},
        {"a": (1, 100, 4), "b": (1, 101, 2)},
        {"a": (1, 100, 4), "b": (1, 100, 4)},
        {"boxes": (1, 100, 4), "scores": (1, 100, 2), "more": (1, 100, 2)},
        {"boxes": (1, 100, 4), "scores": (1, 100), "classes": (1, 101)},
        {**SPLIT, "scores_16": (1, 676, 21)},
        {**SPLIT, "boxes_16": (1, 676, 40)},
        {**SPLIT, "boxes_32": (1, 169, 42)},
        {name: shape for name, shape in SPLIT.items() if name != "boxes_8"},
        {},
    ],
)
def test_other_outputs_are_of_no_family(shapes):
    assert names_of(shapes) == set()


@pytest.mark.parametrize("shapes", [SPLIT, one(1, 4 + 20, THREE), one(1, 3 * THREE, 25)])
def test_labels_that_are_too_many_or_few_are_of_no_family(shapes):
    assert names_of(shapes, labels=19) == set()


@pytest.mark.parametrize("size", [(640, 480), (480, 640)])
def test_inputs_that_are_no_square_have_their_cells_counted(size):
    assert "yolov8" in names_of(one(1, 4 + 7, 80 * 60 + 40 * 30 + 20 * 15), 7, size)


HEADS = {"layer_9": (1, 3 * 25, 13, 13), "layer_17": (1, 3 * 25, 26, 26)}


@pytest.mark.parametrize("labels", [0, 20])
def test_heads_in_the_description_are_darknets(labels):
    assert names_of(HEADS, labels, heads=["layer_9", "layer_17"]) == {"darknet"}


@pytest.mark.parametrize(
    "shapes",
    [
        {"layer_9": (1, 75, 13, 13)},
        {**HEADS, "layer_17": (1, 3 * 24, 26, 26)},
        {**HEADS, "layer_17": (1, 76, 26, 26)},
        {**HEADS, "layer_17": (1, 75, 26)},
        dict.fromkeys(HEADS, (1, 15, 13, 13)),
        one(1, THREE, 25),
    ],
)
def test_heads_that_do_not_fit_are_not_taken_for_anything_else(shapes):
    spec = spec_of(20, heads=["layer_9", "layer_17"])
    with pytest.raises(ModelError, match='not those of decoder darknet: expected for each of the "heads"'):
        family_of(shapes, SIZE, spec)


@pytest.mark.parametrize("decoder", ["yolo", ""])
def test_an_unknown_decoder_is_refused_with_those_that_exist(decoder):
    message = f"mine: decoder '{decoder}' is unknown (known: nanodet, darknet, yolox, yolox-decoded, "
    with pytest.raises(ModelError, match=re.escape(message) + r".*output \[1, 84, 3549\]"):
        family_of(one(1, 84, THREE), SIZE, spec_of(decoder=decoder))


@pytest.mark.parametrize("decoder", sorted(FAMILIES))
def test_a_named_decoder_that_does_not_fit_is_refused_with_expected_and_found(decoder):
    with pytest.raises(ModelError, match=rf"not those of decoder {decoder}: expected .*; found output \[1, 302, 5\]"):
        family_of(one(1, 302, 5), SIZE, spec_of(decoder=decoder))


def test_expected_shapes_are_those_for_this_input():
    with pytest.raises(ModelError, match=re.escape("[1, 3549, 5 + classes]; found a [1, 8400, 85] (input 416x416)")):
        family_of({"a": (1, 8400, 85)}, SIZE, spec_of(decoder="yolox"))


def test_a_name_wins_over_what_would_be_recognised():
    shapes = one(1, THREE, 85)
    assert "yolox" in names_of(shapes)
    assert family_of(shapes, SIZE, spec_of(decoder="nanodet")).name == "nanodet"


def test_yolox_decoded_by_its_exporter_is_read_as_yolov5_when_that_is_said():
    assert family_of(one(1, THREE, 85), SIZE, spec_of(80, decoder="yolov5")).name == "yolov5"


def test_a_named_decoder_with_another_number_of_labels_is_refused():
    with pytest.raises(ModelError, match="has 79 labels, but its outputs hold 80 classes for decoder yolov8"):
        family_of(one(1, 84, THREE), SIZE, spec_of(79, decoder="yolov8"))


def test_the_background_has_no_label():
    shapes = {"scores": (1, 4420, 21), "boxes": (1, 4420, 4)}
    with pytest.raises(ModelError, match=r"has 21 labels, but its outputs hold 20 classes .* background \+ classes"):
        family_of(shapes, SIZE, spec_of(21, decoder="ssd"))


def test_unknown_outputs_are_refused_with_what_was_found_and_where_to_read_on():
    with pytest.raises(ModelError, match=r"output \[1, 302, 5\] \(input 416x416\); docs/models\.md") as refusal:
        families_of(one(1, 302, 5), SIZE, spec_of())
    assert len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)


def test_of_many_outputs_a_few_are_named():
    with pytest.raises(ModelError, match=r"out_2 \[2, 9\] and 6 more \(input"):
        families_of({f"out_{number}": (2, 9) for number in range(9)}, SIZE, spec_of())


def test_outputs_of_several_families_whose_numbers_do_not_tell_are_refused_with_these():
    outputs = {"output": np.full((1, THREE, 50), 0.5, np.float32)}
    with pytest.raises(ModelError, match=r"output \[1, 3549, 50\] .* could be of nanodet or yolox; write"):
        choose_family(families_of(one(1, THREE, 50), SIZE, spec_of()), outputs, SIZE, spec_of())


def test_recognised_outputs_with_the_wrong_number_of_labels_are_refused_with_the_right_one():
    with pytest.raises(ModelError, match=r"could be yolov8 with 80 classes .*but it has 79 labels"):
        families_of(one(1, 84, THREE), SIZE, spec_of(79))


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("nanodet", {"channels": "bgr", "mean": (103.53, 116.28, 123.675), "std": (57.375, 57.12, 58.395), "fill": 0}),
        ("darknet", {"channels": "rgb", "mean": (0, 0, 0), "std": (255, 255, 255), "fill": 127}),
        ("yolox", {"channels": "bgr", "mean": (0, 0, 0), "std": (1, 1, 1), "fill": 114, "align": "top-left"}),
        ("yolov5", {"channels": "rgb", "mean": (0, 0, 0), "std": (255, 255, 255), "fill": 114}),
        ("yolov8", {"channels": "rgb", "mean": (0, 0, 0), "std": (255, 255, 255), "fill": 114}),
        ("ssd", {"channels": "rgb", "mean": (127, 127, 127), "std": (128, 128, 128), "fill": 127}),
    ],
)
def test_each_family_has_its_usual_preparation(name, usual):
    assert FAMILIES[name].preprocessing == Preprocessing(**usual)


def test_the_built_in_model_is_prepared_as_its_family_is(nanodet):
    assert nanodet.spec.preprocessing == FAMILIES["nanodet"].preprocessing
