from __future__ import annotations

import pytest

from gateway.models.metadata import MAX_TEXT_BYTES, Metadata, read_metadata
from shared.detection.decoding.labels import COCO, class_label, usual_labels


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'person', 1: 'traffic light'}", ("person", "traffic light")),
        ('{"0": "person", "1": "dog"}', ("person", "dog")),
        ("['person', 'dog']", ("person", "dog")),
        ('["person", "dog"]', ("person", "dog")),
        ("{1: 'dog'}", ("class_0", "dog")),
        ("{0: ' cat '}", ("cat",)),
        (r"{0: 'big\ncat'}", ("big cat",)),
        (str({0: "x" * 500}), ("x" * 100,)),
        ("", ()),
        ("person, dog", ()),
        ("{0: open('/etc/passwd')}", ()),
        ("{'a': 'b'}", ()),
        ("{-1: 'b'}", ()),
        ("{5000: 'far'}", ()),
        ("3", ()),
        ("(" * 5000, ()),
        ("['x'" + ", 'xxxxxxxx'" * MAX_TEXT_BYTES + "]", ()),
    ],
)
def test_names_are_read_as_python_or_json_writes_them_and_nothing_is_run(text, names):
    assert read_metadata({"names": text}).names == names


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("[320, 416]", (320, 416)),
        ("640", (640, 640)),
        ("", None),
        ("[1, 2, 3]", None),
        ("[-1, 5]", None),
        ("'a'", None),
    ],
)
def test_the_size_of_pictures_is_read(text, size):
    assert read_metadata({"imgsz": text}).size == size


@pytest.mark.parametrize("task", ["", "detect", "segment", "Detect"])
def test_tasks_with_boxes_are_not_refused(task):
    assert read_metadata({"task": task}).refusal == ""


@pytest.mark.parametrize("task", ["pose", "obb", "classify", " OBB"])
def test_tasks_without_such_boxes_are_refused_with_what_to_export(task):
    refusal = read_metadata({"task": task}).refusal
    assert f"task {task.strip().lower()}" in refusal
    assert "export a detector" in refusal


def test_a_file_that_says_nothing_is_no_other():
    assert read_metadata({}) == Metadata()


def test_classes_that_nobody_names_are_called_as_in_coco_by_their_number():
    assert usual_labels("yolov8", 80) == COCO
    by_id = usual_labels("rf-detr", 91)
    assert (by_id[1], by_id[18], by_id[90], by_id[12]) == ("person", "dog", "toothbrush", "class_12")
    assert usual_labels("yolov8", 2) == ("class_0", "class_1")
    assert usual_labels("yunet", 1) == ("face",)


def test_the_built_in_labels_are_cocos(nanodet):
    assert nanodet.spec.labels == COCO


def test_a_class_behind_the_last_label_is_called_by_its_number():
    assert (class_label(1, ("a", "b")), class_label(2, ("a", "b"))) == ("b", "class_2")
