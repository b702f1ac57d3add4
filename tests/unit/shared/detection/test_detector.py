from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.kinds.picture_folder import read_picture
from gateway.models.catalogue import MODELS, open_model
from gateway.planning.partitioned import PartitionedModel, TiledHead
from shared.detection.decoding import Candidates
from shared.detection.detections import MAX_OBJECTS_PER_FRAME
from shared.detection.suppression import suppress
from shared.errors import ModelError
from shared.ftp.grid import Grid
from shared.model.letterbox import Letterbox
from tests.networks import ModelBuilder

PHOTOS = Path(__file__).parents[3] / "photos"


def detector_behind(partitioned):
    """The detector of everything behind the cut."""
    return partitioned.detector(1)


def candidates(*rows):
    """Of rows: box, score, class."""
    boxes, scores, classes = zip(*rows, strict=True) if rows else ((), (), ())
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int64)
    )


def iou(one, other):
    left, top = np.maximum(one[:2], other[:2])
    right, bottom = np.minimum(one[2:], other[2:])
    common = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


HERE, NEARLY_HERE, ELSEWHERE = (0, 0, 100, 100), (0, 0, 100, 95), (200, 200, 300, 300)


def test_the_best_of_overlapping_boxes_stays():
    assert suppress(candidates((HERE, 0.5, 0), (NEARLY_HERE, 0.9, 0)), 0.6) == [1]


def test_boxes_apart_stay_best_first():
    assert suppress(candidates((HERE, 0.5, 0), (ELSEWHERE, 0.9, 0)), 0.6) == [1, 0]


def test_classes_do_not_suppress_each_other():
    assert suppress(candidates((HERE, 0.5, 0), (HERE, 0.9, 1)), 0.6) == [1, 0]


@pytest.mark.parametrize(("threshold", "kept"), [(0.94, [1]), (0.96, [1, 0])])
def test_boxes_that_overlap_less_than_the_threshold_stay(threshold, kept):
    assert suppress(candidates((HERE, 0.5, 0), (NEARLY_HERE, 0.9, 0)), threshold) == kept


def test_no_candidates_are_no_objects():
    assert suppress(candidates(), 0.6) == []


def test_more_than_a_crowd_is_cut_off_at_the_best():
    rows = [((10 * n, 0, 10 * n + 5, 5), 0.1 + n / 1000, 0) for n in range(MAX_OBJECTS_PER_FRAME + 50)]
    assert suppress(candidates(*rows), 0.6) == list(range(MAX_OBJECTS_PER_FRAME + 49, 49, -1))


def test_classes_do_not_suppress_each_other_left_of_and_above_the_input():
    behind, there = (-101, -101, -1, -1), (0, 0, 100, 100)
    assert suppress(candidates((there, 0.9, 0), (behind, 0.5, 1)), 0.6) == [0, 1]


def test_only_the_best_candidates_are_compared(monkeypatch):
    monkeypatch.setattr("shared.detection.suppression.MAX_CANDIDATES", 2)
    rows = [(HERE, 0.5, 0), (ELSEWHERE, 0.9, 0), (NEARLY_HERE, 0.7, 1)]
    assert suppress(candidates(*rows), 0.6) == [1, 2]


boxes = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(5, 40), st.integers(5, 40)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@given(st.lists(st.tuples(boxes, st.integers(1, 1000).map(lambda n: n / 1000), st.integers(0, 2)), max_size=25))
def test_what_stays_does_not_overlap_and_what_goes_overlaps_something_better(rows):
    found = candidates(*rows)
    kept = suppress(found, 0.5)
    assert [found.scores[n] for n in kept] == sorted((found.scores[n] for n in kept), reverse=True)

    def alike(one, other):
        """How much two boxes of one class overlap."""
        return iou(found.boxes[one], found.boxes[other]) if found.classes[one] == found.classes[other] else 0

    for number in range(len(rows)):
        better = [n for n in kept if n != number and found.scores[n] >= found.scores[number]]
        closest = max((alike(number, other) for other in better), default=0)
        assert closest <= 0.5 + 1e-6 if number in kept else closest >= 0.5 - 1e-6


@pytest.fixture(scope="module")
def detect(nanodet):
    """Detect in a photo: tiles, tail, decoding, suppression, as `deepthings detect` does it."""
    partitioned = PartitionedModel.of(nanodet, Grid(3, 3))
    head, detector = TiledHead(partitioned, threads=1), detector_behind(partitioned)

    def run(picture):
        letterbox = Letterbox(*picture.shape[:2], *nanodet.network.input_size)
        return detector.detect(head.run(letterbox.apply(picture, nanodet.spec.preprocessing)), letterbox)

    return run


@pytest.mark.parametrize(
    ("photo", "label", "box"),
    [
        ("astronaut.jpg", "person", (14, 14, 364, 508)),
        ("chelsea.webp", "cat", (2, 0, 441, 296)),
        ("camera.jpg", "person", (3, 68, 319, 512)),
    ],
)
def test_the_built_in_model_finds_what_a_photo_shows_and_nothing_else(detect, photo, label, box):
    (found,) = detect(read_picture(PHOTOS / photo)).objects
    assert found.label == label
    assert iou(found.box, box) >= 0.8


def test_boxes_are_told_in_pixels_and_as_parts_of_the_picture(detect):
    picture = read_picture(PHOTOS / "chelsea.webp")
    height, width = picture.shape[:2]
    (found,) = detect(picture).objects
    left, top, right, bottom = found.box
    assert found.box_rel == pytest.approx((left / width, top / height, right / width, bottom / height), abs=1e-4)
    assert min(found.box_rel) >= 0
    assert max(found.box_rel) <= 1


def test_a_picture_of_nothing_holds_nothing(detect):
    assert detect(np.full((300, 400, 3), 128, np.uint8)).objects == ()


def test_a_photo_in_tiles_and_in_one_piece_shows_the_same(nanodet, detect):
    picture = read_picture(PHOTOS / "camera.jpg")
    whole = PartitionedModel.of(nanodet, Grid(1, 1))
    letterbox = Letterbox(*picture.shape[:2], *nanodet.network.input_size)
    maps = TiledHead(whole, 1).run(letterbox.apply(picture, nanodet.spec.preprocessing))
    assert detector_behind(whole).detect(maps, letterbox).objects == detect(picture).objects


def test_the_built_in_model_with_one_output_as_upstream_exports_it_shows_the_same(nanodet, detect, tmp_path):
    model = onnx.load(MODELS / "nanodet-g" / "nanodet-g.onnx")
    for stride in (8, 16, 32):
        parts = [f"scores_{stride}", f"boxes_{stride}"]
        model.graph.node.append(onnx.helper.make_node("Concat", parts, [f"both_{stride}"], f"both_{stride}", axis=2))
    parts = ["both_8", "both_16", "both_32"]
    model.graph.node.append(onnx.helper.make_node("Concat", parts, ["output"], "output", axis=1))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, (1, 3549, 124)))
    path = tmp_path / "joined.onnx"
    path.write_bytes(model.SerializeToString())
    said = {"name": "joined", "file": "joined.onnx", "labels": nanodet.spec.labels, "cut": nanodet.spec.cut}
    path.with_suffix(".json").write_text(json.dumps(said))
    joined = PartitionedModel.of(open_model(str(path)), Grid(3, 3))
    picture = read_picture(PHOTOS / "camera.jpg")
    letterbox = Letterbox.for_picture(picture.shape, joined.model.network.input_size, joined.spec.preprocessing)
    maps = TiledHead(joined, 1).run(letterbox.apply(picture, joined.spec.preprocessing))
    assert detector_behind(joined).detect(maps, letterbox).objects == detect(picture).objects != ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("cat",) * 10}, "has 10 labels, but its outputs hold 80 classes"),
        ({"decoder": "invented"}, "decoder 'invented' is unknown"),
        ({"decoder": "yolox"}, "not those of decoder yolox"),
        ({"decoder": None, "labels": ("cat",) * 10}, "could be nanodet with 80 classes, but it has 10 labels"),
    ],
)
def test_a_model_that_is_described_wrongly_gets_no_detector(nanodet, change, message):
    wrong = replace(nanodet, spec=nanodet.spec.model_copy(update=change))
    with pytest.raises(ModelError, match=message):
        detector_behind(PartitionedModel.of(wrong, Grid(1, 1)))


def test_a_model_whose_outputs_nobody_can_decode_gets_no_detector(tmp_path):
    build = ModelBuilder(32, 32)
    path = tmp_path / "mine.onnx"
    path.write_bytes(build.model(build.conv("image", 4, 3, name="conv")).SerializeToString())
    partitioned = PartitionedModel.of(open_model(str(path)), Grid(1, 1))
    with pytest.raises(ModelError, match=r"mine: no decoder reads its outputs, conv \[1, 4, 30, 30\]"):
        detector_behind(partitioned)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_a_failure_and_not_nothing(nanodet, value):
    partitioned = PartitionedModel.of(nanodet, Grid(1, 1))
    detector = detector_behind(partitioned)
    maps = [np.zeros(shape, np.float32) for shape in partitioned.map_shapes]
    detector.detect(maps, Letterbox(300, 400, *nanodet.network.input_size))
    maps[0][0, 0, 0, 0] = value
    with pytest.raises(ModelError, match="outputs of model nanodet-g are not finite numbers"):
        detector.detect(maps, Letterbox(300, 400, *nanodet.network.input_size))


def test_a_model_without_labels_names_classes_by_number(nanodet):
    bare = replace(nanodet, spec=nanodet.spec.model_copy(update={"labels": ()}))
    partitioned = PartitionedModel.of(bare, Grid(1, 1))
    picture = read_picture(PHOTOS / "chelsea.webp")
    letterbox = Letterbox(*picture.shape[:2], *nanodet.network.input_size)
    maps = TiledHead(partitioned, 1).run(letterbox.apply(picture, nanodet.spec.preprocessing))
    assert [found.label for found in detector_behind(partitioned).detect(maps, letterbox).objects] == ["class_15"]
