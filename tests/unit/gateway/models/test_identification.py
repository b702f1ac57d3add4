"""Detectors as they are exported, opened and used: one person is seen, and it comes back as what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gateway.models.catalogue import open_model
from gateway.planning.partitioned import PartitionedModel, WholeHead
from shared.detection.decoding.recognition import FAMILIES
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.model.letterbox import Letterbox
from tests.networks import detector_of

SIZE = 64
CELLS = 64 + 16 + 4
BOX = (16, 8, 32, 56)
CENTRE = (24, 32, 16, 48)
PARTS = (24 / 64, 32 / 64, 16 / 64, 48 / 64)
NO, YES = -6.0, 2.2
"""Before a sigmoid; YES is 0.9."""

NAMES = str({0: "cat", 1: "dog"})


def detector_behind(partitioned):
    """The detector of everything behind the cut."""
    return partitioned.detector(1)


def table(rows, width, filling, *, first):
    """Rows of this filling, the first with an object."""
    made = np.tile(np.array(filling, np.float32), (rows, 1))
    made = np.pad(made, ((0, 0), (0, width - made.shape[1])), constant_values=0.01)
    made[0, : len(first)] = first
    return made[None]


def scored(rows, classes, at=0, *, yes=0.9, no=0.001):
    made = np.full((1, rows, classes), no, np.float32)
    made[0, 0, at] = yes
    return made


def finished(rows=30):
    made = np.zeros((1, rows, 6), np.float32)
    made[0, 0] = (*BOX, 0.9, 0)
    return made


def repeated(box, rows):
    return np.tile(np.array(box, np.float32), (1, rows, 1))


V8 = table(CELLS, 84, CENTRE, first=(*CENTRE, 0.9)).transpose(0, 2, 1)
MASKS = np.random.default_rng(3).standard_normal((1, 84, 32)).astype(np.float32)
PROTOTYPES = np.ones((1, 32, 16, 16), np.float32)
V5 = table(3 * CELLS, 85, CENTRE, first=(*CENTRE, 0.9, 1.0))
LOGITS_80, LOGITS_91 = scored(300, 80, yes=YES, no=NO), scored(300, 91, at=1, yes=YES, no=NO)


def softmax_logits():
    made = scored(100, 92, at=1, yes=9, no=0)
    made[0, 1:, -1] = 9
    return made


def yunet(strides=(8, 16, 32)):
    """At stride 8 in the cell of row 4, column 3 the box's centre, 24, 32, is the cell's corner."""
    made = {}
    for stride in strides:
        cells = (SIZE // stride) ** 2
        made |= {f"cls_{stride}": np.full((1, cells, 1), 0.01), f"obj_{stride}": np.full((1, cells, 1), 0.01),
                 f"bbox_{stride}": np.zeros((1, cells, 4)), f"kps_{stride}": np.zeros((1, cells, 10))}  # fmt: skip
    made["cls_8"][0, 35], made["obj_8"][0, 35] = 0.9, 0.9
    made["bbox_8"][0, 35] = (0, 0, np.log(2), np.log(6))
    return made


def yolox():
    made = np.full((1, CELLS, 85), 0.01)
    made[0, 35, :6] = (0, 0, np.log(2), np.log(6), 0.95, 0.95)
    return made


def nanodet(scores, boxes, strides=(8, 16, 32)):
    """NanoDet's: the centre of row 3, column 2 of stride 8 is 20, 28."""
    made = {}
    for stride in strides:
        cells = (SIZE // stride) ** 2
        made[scores.format(stride)] = np.full((1, cells, 80), 0.01)
        made[boxes.format(stride)] = np.zeros((1, cells, 32))
    made[scores.format(8)][0, 26, 0] = 0.9
    sides = np.full((4, 8), -50.0)
    for side, distance in enumerate((0.5, 2.5, 1.5, 3.5)):  # 16, 8, 32, 56 in strides of 8 from the centre
        sides[side, int(distance) : int(distance) + 2] = 0
    made[boxes.format(8)][0, 26] = sides.ravel()
    return made


READ = {
    "yolov8": ({"output0": V8}, "person"),
    "yolov8, more classes than cells": (
        {"output0": table(CELLS, 95, CENTRE, first=(*CENTRE, 0.9)).transpose(0, 2, 1)}, "class_0"
    ),
    "yolov8, P2 to P5": (
        {"output0": table(256 + CELLS, 84, CENTRE, first=(*CENTRE, 0.9)).transpose(0, 2, 1)}, "person"
    ),
    "yolov8, P2 to P4": ({"output0": table(336, 84, CENTRE, first=(*CENTRE, 0.9)).transpose(0, 2, 1)}, "person"),
    "yolov8-seg": (
        {"output0": np.concatenate([V8, MASKS.transpose(0, 2, 1)], axis=1), "output1": PROTOTYPES}, "person"
    ),
    "yolov8-parts": (
        {"output0": table(CELLS, 84, PARTS, first=(*PARTS, 0.9)).transpose(0, 2, 1)}, "person"
    ),
    "yolov5": ({"output0": V5}, "person"),
    "yolov5-seg": (
        {"output0": np.concatenate([V5, np.ones((1, 3 * CELLS, 32))], axis=2), "output1": PROTOTYPES}, "person"
    ),
    "yolox": ({"output": yolox()}, "person"),
    "yolox-decoded": ({"output": table(CELLS, 85, CENTRE, first=(*CENTRE, 0.9, 1.0))}, "person"),
    "yolov6": (
        {"outputs": table(CELLS, 85, (*CENTRE, 1.0), first=(*CENTRE, 1.0, 0.9))}, "person"
    ),
    "yolo-nas": ({"pred_bboxes": repeated(BOX, CELLS), "pred_scores": scored(CELLS, 80)}, "person"),
    "yolo-nas, swapped": ({"904": scored(CELLS, 80), "913": repeated(BOX, CELLS)}, "person"),
    "rf-detr": ({"dets": repeated(PARTS, 300), "labels": LOGITS_91}, "person"),
    "rf-detr, own classes": (
        {"dets": repeated(PARTS, 300), "labels": scored(300, 4, at=2, yes=YES, no=NO)}, "class_2"
    ),
    "rf-detr-seg": (
        {"dets": repeated(PARTS, 300), "labels": LOGITS_91, "masks": np.zeros((1, 300, 16, 16))}, "person"
    ),
    "d-fine": ({"logits": LOGITS_80, "pred_boxes": repeated(PARTS, 300)}, "person"),
    "detr": ({"logits": softmax_logits(), "pred_boxes": repeated(PARTS, 100)}, "person"),
    "rt-detr": ({"output0": table(300, 84, PARTS, first=(*PARTS, 0.9))}, "person"),
    "rt-detr, apart": ({"boxes": repeated(PARTS, 300), "scores": scored(300, 80)}, "person"),
    "end2end": ({"output0": finished()}, "class_0"),
    "end2end, as many as cells": ({"output0": finished(CELLS)}, "class_0"),
    "end2end, as many as anchors": ({"output0": finished(3 * CELLS)}, "class_0"),
    "end2end, seg": (
        {"output0": np.concatenate([finished(), np.ones((1, 30, 32))], axis=2), "output1": PROTOTYPES}, "class_0"
    ),
    "end2end, yolov7": ({"output": np.array([[0, *BOX, 0, 0.9]] * 2)}, "class_0"),
    "end2end, yolo-nas flat": ({"graph2_flat_predictions": np.array([[0, *BOX, 0.9, 0]] * 2)}, "class_0"),
    "detections": (
        {"labels": np.zeros((1, 9), np.int64), "boxes": repeated(BOX, 9), "scores": scored(9, 1)[:, :, 0]}, "class_0"
    ),
    "detections, counted": (
        {"num_dets": np.array([[1]], np.int32), "det_boxes": repeated(BOX, 9), "det_scores": np.full((1, 9), 0.9),
         "det_classes": np.zeros((1, 9), np.int32)}, "class_0"
    ),
    "detections, four": (
        {"boxes": repeated(BOX, 4), "classes": np.zeros((1, 4), np.int64), "scores": scored(4, 1)[:, :, 0]}, "class_0"
    ),
    "mmdeploy": (
        {"dets": np.concatenate([repeated(BOX, 9), scored(9, 1)], axis=2), "labels": np.zeros((1, 9), np.int64)},
        "class_0",
    ),
    "paddle": (
        {"fetch_name_0": np.array([[0, 0.9, *BOX], [-1, -1, 0, 0, 0, 0]]), "fetch_name_1": np.array([1], np.int32)},
        "class_0",
    ),
    "yunet": (yunet(), "face"),
    "nanodet": (nanodet("cls_pred_stride_{}", "dis_pred_stride_{}"), "person"),
    "nanodet, numbered": (nanodet("9{}", "7{}"), "person"),
    "picodet": (nanodet("transpose_{}.tmp_0", "transpose_1{}.tmp_0", (8, 16, 32, 64)), "person"),
    "ssd": (
        {"boxes": repeated((16 / 64, 8 / 64, 32 / 64, 56 / 64), CELLS),
         "scores": np.where(np.arange(CELLS)[:, None] == 0, [0.1, 0.9], [0.99, 0.01])[None]}, "class_0"
    ),
}  # fmt: skip


def opened(folder, tables, description=None, **model):
    path = folder / "mine.onnx"
    path.write_bytes(detector_of(tables, (SIZE, SIZE), **model).SerializeToString())
    if description is not None:
        path.with_suffix(".json").write_text(json.dumps({"name": "mine", "file": "mine.onnx", **description}))
    return open_model(str(path))


def seen(model):
    """What is seen in a picture of the input's size."""
    partitioned = PartitionedModel.of(model, Grid(1, 1))
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    maps = WholeHead(partitioned, 1).run(pixels)
    return detector_behind(partitioned).detect(maps, Letterbox(SIZE, SIZE, SIZE, SIZE)).objects


@pytest.mark.parametrize("name", READ)
def test_what_public_exporters_write_is_read(name, tmp_path):
    tables, label = READ[name]
    model = opened(tmp_path, tables)
    assert model.unreadable == ""
    family = name.split(",")[0].removesuffix("-seg")
    assert model.spec.decoder == family
    found = seen(model)
    assert found[0].label == label
    assert found[0].box == pytest.approx(BOX, abs=0.11)
    assert found[0].score == pytest.approx(0.9, abs=0.11)
    assert {one.box for one in found} == {found[0].box}


def test_every_family_is_tried():
    assert FAMILIES.keys() - {name.split(",")[0] for name in READ} == {"darknet"}


POSE = np.concatenate([table(CELLS, 5, CENTRE, first=(*CENTRE, 0.9)), np.full((1, CELLS, 51), 30.0)], axis=2)
OBB = np.concatenate([table(CELLS, 19, CENTRE, first=(*CENTRE, 0.9)), np.full((1, CELLS, 1), -0.6)], axis=2)
GRIDLESS = np.full((1, 3 * CELLS, 85), 0.5)
OFFSETS = np.random.default_rng(4).standard_normal((1, CELLS, 4))

REFUSED = {
    "a pose": ({"output0": POSE.transpose(0, 2, 1)}, {}, "scores are not from 0 to 1 but from .* to 30; .*task detect"),
    "a pose that says so": ({"output0": V8}, {"task": "pose"}, r"finds poses \(task pose\); export a detector"),
    "oriented boxes": ({"output0": OBB.transpose(0, 2, 1)}, {}, "not from 0 to 1 but from -0.6"),
    "oriented boxes that say so": ({"output0": V8}, {"task": "obb"}, "finds oriented boxes .*export a detector"),
    "oriented boxes of one angle": (
        {"output0": np.concatenate([V8[:, :19], np.full((1, 1, CELLS), 0.4)], axis=1)}, {}, "too large for scores"
    ),
    "a pose in parts of the picture": (
        {"output0": np.concatenate([V8[:, :5], np.full((1, 51, CELLS), 0.5)], axis=1)}, {}, "too large for scores"
    ),
    "another number of classes": (
        {"output0": V8[:, :20]}, {"names": NAMES}, "yolov8 with 16 classes.*but it has 2 labels"
    ),
    "yolov5 without its grid": (
        {"output": GRIDLESS}, {}, "of yolov5 or yolov8, but its boxes all lie within 0 and 1.*export.py"
    ),
    "yolov5's heads": ({"a": np.ones((1, 3, 8, 8, 85)), "b": np.ones((1, 3, 4, 4, 85))}, {}, "export.py, without"),
    "yolov8's heads": ({"a": np.ones((1, 144, 8, 8)), "b": np.ones((1, 144, 4, 4))}, {}, "boxes decoded"),
    "yolov8 before its decoding": (
        {"output0": np.random.default_rng(5).standard_normal((1, 144, CELLS + 256))}, {}, "scores are not from 0 to 1"
    ),
    "ssd without priors": (
        {"boxes": OFFSETS, "scores": np.full((1, CELLS, 2), 0.5)}, {}, "end before they begin.*priors applied"
    ),
    "ssd without anything": ({"boxes": OFFSETS, "scores": 3 * OFFSETS[:, :, :3]}, {}, "not from 0 to 1"),
    "ssd whose offsets are nothing": (
        {"boxes": np.zeros((1, CELLS, 4)), "scores": np.full((1, CELLS, 2), 0.5)}, {}, "no area.*priors applied"
    ),
    "retinaface": (
        {"bbox": OFFSETS, "conf": np.full((1, CELLS, 2), 0.5), "landmark": np.ones((1, CELLS, 10))}, {},
        "without landmarks",
    ),
    "a classifier": ({"logits": np.ones((1, 1000))}, {}, "classify whole pictures; export a detector"),
    "a classifier that says so": ({"output0": np.ones((1, 1000))}, {"task": "classify"}, "classifies whole pictures"),
    "a segmentation": ({"out": np.ones((1, 21, SIZE, SIZE))}, {}, "looks like segmentation; export a detector"),
    "boxes nowhere": ({"pred": repeated((9e3, 9e3, 9.1e3, 9.2e3), 7), "s": scored(7, 3)}, {}, "far outside"),
    "no numbers": ({"output0": np.where(V8 > 0.5, np.nan, V8)}, {}, "scores are not from 0 to 1|not finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line_and_can_be_cut_all_the_same(name, tmp_path):
    tables, metadata, reason = REFUSED[name]
    model = opened(tmp_path, tables, metadata=metadata)
    assert model.spec.decoder is None
    with pytest.raises(ModelError, match=reason) as refusal:
        detector_behind(PartitionedModel.of(model, Grid(2, 2)))
    assert str(refusal.value) == model.unreadable
    assert len(model.unreadable) < 300
    assert "\n" not in model.unreadable


def test_labels_are_those_that_the_file_names(tmp_path):
    made = table(CELLS, 6, CENTRE, first=(*CENTRE, 0.01, 0.9)).transpose(0, 2, 1)
    model = opened(tmp_path, {"output0": made}, metadata={"task": "detect", "names": NAMES})
    assert model.spec.labels == ("cat", "dog")
    assert [found.label for found in seen(model)] == ["dog"]


def test_labels_of_the_description_come_before_those_of_the_file(tmp_path):
    made = table(CELLS, 6, CENTRE, first=(*CENTRE, 0.01, 0.9)).transpose(0, 2, 1)
    model = opened(tmp_path, {"output0": made}, {"labels": ["katze", "hund"]}, metadata={"names": NAMES})
    assert [found.label for found in seen(model)] == ["hund"]


def test_names_of_the_file_name_classes_by_number(tmp_path):
    model = opened(tmp_path, {"output0": finished()}, metadata={"names": NAMES})
    assert [found.label for found in seen(model)] == ["cat"]


def test_a_table_that_holds_nothing_for_the_probe_picture_is_one_of_finished_objects(tmp_path):
    assert opened(tmp_path, {"output0": np.zeros((1, 300, 6))}).spec.decoder == "end2end"


def test_tables_without_rows_hold_nothing(tmp_path):
    assert seen(opened(tmp_path, {"output": np.zeros((0, 7))})) == ()


def test_a_decoder_that_is_named_is_held_against_the_numbers_too(tmp_path):
    model = opened(tmp_path, {"output": GRIDLESS}, {"decoder": "yolov5"})
    assert "its boxes all lie within 0 and 1" in model.unreadable


def test_boxes_that_do_not_overlap_by_nature_are_all_kept(tmp_path):
    logits = LOGITS_80.copy()
    logits[0, 1, 0] = YES
    assert len(seen(opened(tmp_path, {"logits": logits, "pred_boxes": repeated(PARTS, 300)}))) == 2


def test_boxes_that_lie_beside_the_picture_are_not_seen(tmp_path):
    made = finished()
    made[0, 1] = (-20, 10, -1, 30, 0.9, 0)
    made[0, 2] = (10, 70, 30, 90, 0.9, 0)
    made[0, 3] = (10, 10, 10.02, 30, 0.9, 0)
    assert [found.box for found in seen(opened(tmp_path, {"output0": made}))] == [BOX]


def test_a_size_that_is_left_open_is_the_one_that_the_file_names(tmp_path):
    model = detector_of({"output0": V8}, (SIZE, SIZE), metadata={"imgsz": "[64, 96]"})
    for axis in (0, 2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "open"
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    assert open_model(str(tmp_path / "mine.onnx")).network.input_size == (64, 96)


@pytest.mark.parametrize(("task", "readable"), [("segment", True), ("pose", False)])
def test_what_a_file_says_of_its_task_is_heard(tmp_path, task, readable):
    assert (opened(tmp_path, {"output0": V8}, metadata={"task": task}).unreadable == "") is readable
