from __future__ import annotations

import numpy as np
import pytest

from shared.detection.decoding import decode
from shared.errors import ModelError
from shared.model.spec import AnchorHead, ModelSpec

SIZE = (32, 32)
CELLS = 16 + 4 + 1


def outputs_with(scores):
    """NanoDet's outputs at 32x32 with these scores in the only cell of stride 32."""
    outputs = {}
    for stride, cells in ((8, 16), (16, 4), (32, 1)):
        outputs[f"scores_{stride}"] = np.zeros((1, cells, len(scores)), np.float32)
        outputs[f"boxes_{stride}"] = np.zeros((1, cells, 44), np.float32)
    outputs["scores_32"][0, 0] = scores
    return outputs


def spec_of(decoder="nanodet", score_threshold=0.4, **more):
    return ModelSpec(name="mine", file="mine.onnx", decoder=decoder, score_threshold=score_threshold, **more)


def test_candidates_are_what_reaches_the_threshold():
    found = decode(outputs_with([0.39, 0.41, 0.8]), SIZE, spec_of())
    assert found.classes.tolist() == [1, 2]
    np.testing.assert_allclose(found.scores, [0.41, 0.8])
    assert found.boxes.shape == (2, 4)
    assert found.invalid_count == 0


def test_a_score_at_the_threshold_counts():
    assert len(decode(outputs_with([0.5]), SIZE, spec_of(score_threshold=0.5)).scores) == 1


def test_nothing_above_the_threshold_is_no_candidate():
    found = decode(outputs_with([0.1, 0.2]), SIZE, spec_of())
    assert (found.boxes.shape, len(found.scores), len(found.classes), found.invalid_count) == ((0, 4), 0, 0, 0)


@pytest.mark.parametrize("decoder", ["yolo", ""])
def test_an_unknown_decoder_is_refused(decoder):
    with pytest.raises(
        ModelError, match=r"mine: decoder .* is unknown \(known: nanodet, .*scores_16 \[1, 4, 1\] and 3 more"
    ):
        decode(outputs_with([0.9]), SIZE, spec_of(decoder))


def test_a_decoder_that_is_not_named_is_recognised():
    assert len(decode(outputs_with([0.9]), SIZE, spec_of(None)).scores) == 1


def v8_with(row):
    """YOLOv8's output at 32x32 of two classes: this row, and a good one."""
    table = np.zeros((1, 6, CELLS), np.float32)
    table[0, :, 3] = row
    table[0, :, 9] = 10, 10, 4, 4, 0.1, 0.8
    return {"output": table}


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "row",
    [
        (NAN, 10, 4, 4, 0.5, 0),
        (10, 10, NAN, 4, 0.5, 0),
        (INF, 10, 4, 4, 0.5, 0),
        (10, -INF, 4, 4, 0.5, 0),
        (10, 10, INF, 4, 0.5, 0),
        (3e38, 10, 3e38, 4, 0.5, 0),
        (2e6, 10, 4, 4, 0.5, 0),
        (10, 10, -4, 4, 0.5, 0),
        (10, 10, 4, 0, 0.5, 0),
        (10, 10, 4, 4, NAN, 0),
        (10, 10, 4, 4, INF, 0),
        (10, 10, 4, 4, 7.5, 0),
    ],
    ids=str,
)
def test_what_is_no_box_or_no_score_is_dropped_and_counted(row):
    found = decode(v8_with(row), SIZE, spec_of("yolov8"))
    assert found.invalid_count == 1
    assert found.boxes.tolist() == [[8, 8, 12, 12]]
    assert found.scores.tolist() == pytest.approx([0.8])
    assert found.classes.tolist() == [1]


def test_a_good_class_of_a_cell_stays_when_another_is_no_number():
    found = decode(v8_with((20, 20, 2, 2, NAN, 0.7)), SIZE, spec_of("yolov8"))
    assert (found.invalid_count, found.classes.tolist()) == (1, [1, 1])


def test_a_score_that_rounding_put_above_1_is_1():
    found = decode(v8_with((20, 20, 2, 2, 1.0004, 0)), SIZE, spec_of("yolov8"))
    assert (found.invalid_count, found.scores.max()) == (0, 1)


FAMILIES = {
    "nanodet": (outputs_with([0.5]), {}),
    "yolox": ({"a": np.zeros((1, CELLS, 6), np.float32)}, {}),
    "yolov5": ({"a": np.zeros((1, 3 * CELLS, 6), np.float32)}, {}),
    "yolov8": ({"a": np.zeros((1, 5, CELLS), np.float32)}, {}),
    "ssd": ({"a": np.zeros((1, 9, 4), np.float32), "b": np.zeros((1, 9, 2), np.float32)}, {}),
    "darknet": (
        {"a": np.zeros((1, 12, 1, 1), np.float32), "b": np.zeros((1, 12, 2, 2), np.float32)},
        {
            "heads": (
                AnchorHead(output="a", kind="yolo", anchors=((8, 8), (9, 9))),
                AnchorHead(output="b", kind="region", anchors=((8, 8), (9, 9))),
            )
        },
    ),
}


@pytest.mark.parametrize("value", [NAN, INF, -INF, 3e38, -3e38, 1000.0, -1000.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_full_of_nonsense_make_no_warning_and_nothing_that_is_not_finite(family, value):
    outputs, more = FAMILIES[family]
    found = decode({name: np.full_like(array, value) for name, array in outputs.items()}, SIZE, spec_of(family, **more))
    assert np.isfinite(found.boxes).all()
    assert np.isfinite(found.scores).all()
    if np.isnan(value):
        assert found.invalid_count > 0
        assert len(found.scores) == 0
