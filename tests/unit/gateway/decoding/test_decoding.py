from __future__ import annotations

import numpy as np
import pytest

from gateway.decoding import decode
from shared.errors import ModelError
from shared.model.spec import ModelSpec


def outputs_with(scores):
    """NanoDet's outputs at 32x32 with these scores in the only cell of stride 32."""
    outputs = {}
    for stride, cells in ((8, 16), (16, 4), (32, 1)):
        outputs[f"scores_{stride}"] = np.zeros((1, cells, len(scores)), np.float32)
        outputs[f"boxes_{stride}"] = np.zeros((1, cells, 44), np.float32)
    outputs["scores_32"][0, 0] = scores
    return outputs


def spec_of(decoder="nanodet", score_threshold=0.4):
    return ModelSpec(name="mine", file="mine.onnx", decoder=decoder, score_threshold=score_threshold)


def test_candidates_are_what_reaches_the_threshold():
    found = decode(outputs_with([0.39, 0.41, 0.8]), (32, 32), spec_of())
    assert found.classes.tolist() == [1, 2]
    np.testing.assert_allclose(found.scores, [0.41, 0.8])
    assert found.boxes.shape == (2, 4)


def test_a_score_at_the_threshold_counts():
    assert len(decode(outputs_with([0.5]), (32, 32), spec_of(score_threshold=0.5)).scores) == 1


def test_nothing_above_the_threshold_is_no_candidate():
    found = decode(outputs_with([0.1, 0.2]), (32, 32), spec_of())
    assert (len(found.boxes), len(found.scores), len(found.classes)) == (0, 0, 0)


@pytest.mark.parametrize("decoder", [None, "yolo", ""])
def test_an_unknown_decoder_is_refused_with_those_that_exist_and_the_outputs(decoder):
    with pytest.raises(ModelError, match=r"mine: decoder .* is unknown \(known: nanodet\).*scores_32 \[1, 1, 1\]"):
        decode(outputs_with([0.9]), (32, 32), spec_of(decoder))
