from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from gateway.models.catalogue import Model, choose_cut, open_model
from gateway.planning.partitioned import PartitionedModel, TiledHead, WholeHead
from gateway.quantization.agreement import compare_detections, same_objects
from gateway.quantization.int8 import CUT_GRID, MAX_PICTURES, PictureSample, quantize
from shared.errors import ConfigurationError, CutError, ModelError, SourceError
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.model.loading import describe_network
from shared.model.spec import CompleteSpec, Preprocessing
from shared.payloads.cluster import DetectedObject
from tests.networks import ModelBuilder

SIZE = 96
PREPROCESSING = Preprocessing(mean=(103.5, 116.3, 123.7), std=(57.4, 57.1, 58.4))


class Noise:
    """So many random pictures, the same ones at every reading."""

    def __init__(self, count=3, fps=1.0):
        self.fps = fps
        self.count = count
        self.read = 0

    def pictures(self):
        random = np.random.default_rng(7)
        for number in range(self.count):
            self.read = number + 1
            yield random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def model_of(build, *outputs, cut=(), preprocessing=PREPROCESSING):
    proto = build.model(*outputs)
    spec = CompleteSpec(name="small", file="small.onnx", preprocessing=preprocessing, cut=cut)
    return Model(spec, proto, proto, describe_network(proto, "small"))


def backbone(build, activation):
    """Layers as detectors have them, the last of which is `joined` at a quarter of the size."""

    def conv(source, filters, kernel, stride=1, group=1):
        name = build.conv(source, filters, kernel, strides=[stride] * 2, pads=[kernel // 2] * 4, group=group)
        if activation == "SiLU":
            return build.layer("Mul", name, build.layer("Sigmoid", name))
        return build.layer(activation, name)

    stem = conv("image", 16, 3, 2)
    pooled = build.layer("MaxPool", stem, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    side = conv(conv(pooled, 16, 3, group=16), 16, 1)
    coarse = conv(build.layer("Add", side, pooled), 32, 3, 2)
    factors = build.constant("factors", np.array([1, 1, 2, 2], np.float32))
    up = build.layer("Resize", coarse, "", factors, mode="nearest")
    return build.layer("Concat", up, side, axis=1, name="joined")


def detector(activation="LeakyRelu", **said):
    """A network with two heads behind `joined`."""
    build = ModelBuilder(SIZE, SIZE)
    joined = backbone(build, activation)
    hidden = build.layer("Relu", build.conv(joined, 24, 3, pads=[1] * 4))
    boxes = build.conv(hidden, 8, 1, name="boxes")
    scores = build.layer("Sigmoid", build.conv(hidden, 4, 1, name="logits"), name="scores")
    return model_of(build, boxes, scores, **{"cut": ("joined",), **said})


def makers(model):
    return {name: node for node in model.original.graph.node for name in node.output}


def largest_difference(partitioned, pixels):
    tiled, whole = TiledHead(partitioned, 1).run(pixels), WholeHead(partitioned, 1).run(pixels)
    assert all(array.std() > 1e-3 for array in whole)
    return max(np.abs(made - expected).max() for made, expected in zip(tiled, whole, strict=True))


@pytest.fixture(scope="module")
def quantised(tmp_path_factory):
    return quantize(detector(), Noise(), tmp_path_factory.mktemp("int8") / "tiny.onnx").model


@pytest.mark.parametrize("activation", ["LeakyRelu", "Relu", "SiLU", "HardSwish"])
def test_int8_tiles_equal_the_int8_whole_exactly(tmp_path, activation):
    model = quantize(detector(activation), Noise(), tmp_path / "tiny.onnx").model
    for picture in Noise(2).pictures():
        for grid in (Grid(1, 2), Grid(2, 2), Grid(3, 3), Grid(5, 5)):
            assert largest_difference(PartitionedModel.of(model, grid), picture) == 0


def test_int8_is_near_to_float(quantised):
    picture = next(Noise().pictures())
    exact, near = (
        WholeHead(PartitionedModel.of(model, Grid(1, 1)), 1).run(picture)[0] for model in (detector(), quantised)
    )
    assert np.abs(exact - near).mean() < 0.05 * exact.std()
    assert (exact != near).any()


def test_convolutions_are_in_integers_but_for_the_last_ones_and_what_is_behind_them(quantised):
    made = makers(quantised)
    convolutions = [node for node in quantised.original.graph.node if node.op_type == "Conv"]
    in_integers = {node.name for node in convolutions if node.input[1] in made}
    assert {node.name for node in convolutions} - in_integers == {"boxes", "logits"}
    assert len(in_integers) == 5
    assert {made[name].op_type for name in ("boxes", "scores")} == {"Conv", "Sigmoid"}


def test_weights_have_seven_bits_and_a_scale_for_every_channel(quantised):
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantised.original.graph.initializer}
    weights = {name: array for name, array in constants.items() if array.dtype == np.int8 and array.ndim == 4}
    assert len(weights) == 5
    assert all(60 < np.abs(array).max() <= 64 for array in weights.values())
    scales = [node.input[1] for node in quantised.original.graph.node if node.input and node.input[0] in weights]
    assert sorted(constants[name].size for name in scales) == sorted(len(array) for array in weights.values())


def test_the_input_takes_every_pixel_whatever_the_pictures_show(tmp_path):
    plain = Preprocessing()
    model = quantize(detector(preprocessing=plain), Noise(), tmp_path / "tiny.onnx").model
    (first,) = (node for node in model.original.graph.node if node.input[0] == "image")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.original.graph.initializer}
    assert first.op_type == "QuantizeLinear"
    assert constants[first.input[1]] == pytest.approx(1 / 255)
    assert constants[first.input[2]] == 0


def test_the_description_is_that_of_the_float_model_cut_where_maps_are_float_again(tmp_path):
    model = detector(preprocessing=PREPROCESSING)
    said = model.spec.model_copy(update={"labels": ("cat", "dog"), "score_threshold": 0.3})
    made = quantize(Model(said, model.original, model.proto, model.network), Noise(), tmp_path / "tiny.onnx").model
    assert made.spec == open_model(str(tmp_path / "tiny.onnx")).spec
    (cut,) = made.spec.cut
    assert makers(made)[cut].op_type == "DequantizeLinear"
    assert made.spec == said.model_copy(update={"name": "tiny", "file": "tiny.onnx", "cut": (cut,)})
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.onnx", "tiny.json"}


def test_the_tail_begins_in_integers(quantised):
    behind = [node.op_type for node in quantised.original.graph.node if quantised.spec.cut[0] in node.input]
    assert behind == ["QuantizeLinear"]


def test_a_cut_through_several_maps_of_which_one_is_needed_before_another_stays_one(tmp_path):
    build = ModelBuilder(SIZE, SIZE)
    first = build.layer("Relu", build.conv("image", 16, 3, strides=[2, 2], pads=[1] * 4), name="first")
    second = build.layer("Relu", build.conv(first, 16, 3, strides=[2, 2], pads=[1] * 4), name="second")
    factors = build.constant("factors", np.array([1, 1, 2, 2], np.float32))
    up = build.layer("Resize", second, "", factors, mode="nearest")
    last = build.conv(build.layer("Relu", build.conv(build.layer("Concat", first, up, axis=1), 8, 3)), 4, 1)
    model = quantize(model_of(build, last, cut=("first", "second")), Noise(), tmp_path / "tiny.onnx").model
    assert len(model.spec.cut) == 2
    assert largest_difference(PartitionedModel.of(model, Grid(2, 3)), next(Noise().pictures())) == 0


def test_a_model_that_names_no_cut_gets_the_best_one(tmp_path):
    model = quantize(detector(cut=()), Noise(), tmp_path / "tiny.onnx").model
    assert set(model.spec.cut) == set(choose_cut(detector(cut=()), None, CUT_GRID)) == {"boxes", "scores"}
    partitioned = PartitionedModel.of(model, Grid(3, 3))
    assert largest_difference(partitioned, next(Noise().pictures())) < 1e-5, "the last convolutions are float"


def with_batch_norm():
    build = ModelBuilder(SIZE, SIZE)
    random = np.random.default_rng(1)
    constants = {f"norm.{name}": random.uniform(0.5, 2, 16) for name in ("scale", "bias", "mean", "variance")}
    conv = build.conv("image", 16, 3, name="before", strides=[2, 2], pads=[1] * 4, bias=False)
    norm = build.layer("Relu", build.layer("BatchNormalization", conv, constants=constants), name="after")
    return build, build.conv(build.layer("Relu", build.conv(norm, 8, 3, pads=[1] * 4)), 4, 1)


def test_batch_normalisation_is_folded_into_its_convolution(tmp_path):
    model = quantize(model_of(*with_batch_norm(), cut=("after",)), Noise(), tmp_path / "tiny.onnx").model
    assert "BatchNormalization" not in {node.op_type for node in model.original.graph.node}
    assert largest_difference(PartitionedModel.of(model, Grid(3, 3)), next(Noise().pictures())) == 0


def test_a_cut_before_a_batch_normalisation_stays_possible(tmp_path):
    model = quantize(model_of(*with_batch_norm(), cut=("before",)), Noise(), tmp_path / "tiny.onnx").model
    assert model.spec.cut == ("before_DequantizeLinear_Output",)
    assert largest_difference(PartitionedModel.of(model, Grid(3, 3)), next(Noise().pictures())) == 0


def test_slices_that_onnxruntime_would_fuse_into_what_cannot_be_tiled_stay_slices(tmp_path):
    """YOLOX's first layer: every second pixel, four times."""
    build = ModelBuilder(SIZE, SIZE)
    build.constant("ends", np.array([2**31 - 1] * 2))
    build.constant("axes", np.array([2, 3]))
    build.constant("steps", np.array([2, 2]))
    for row, column in ((0, 0), (1, 0), (0, 1), (1, 1)):
        build.constant(f"starts_{row}{column}", np.array([row, column]))
        build.layer("Slice", "image", f"starts_{row}{column}", "ends", "axes", "steps", name=f"slice_{row}{column}")
    focus = build.layer("Concat", "slice_00", "slice_10", "slice_01", "slice_11", axis=1)
    deep = build.layer("Relu", build.conv(focus, 16, 3, pads=[1] * 4), name="deep")
    last = build.conv(build.layer("Relu", build.conv(deep, 8, 3, pads=[1] * 4)), 4, 1)
    model = quantize(model_of(build, last, cut=("deep",)), Noise(), tmp_path / "tiny.onnx").model
    assert largest_difference(PartitionedModel.of(model, Grid(3, 3)), next(Noise().pictures())) == 0


def test_constants_that_differ_from_cell_to_cell_stay_float(tmp_path):
    build = ModelBuilder(SIZE, SIZE)
    conv = build.conv("image", 8, 3, strides=[2, 2], pads=[1] * 4)
    places = np.linspace(-1, 1, SIZE * SIZE // 4).reshape(1, 1, SIZE // 2, SIZE // 2)
    placed = build.layer("Add", conv, constants={"places": places}, name="placed")
    last = build.conv(build.layer("Relu", build.conv(placed, 8, 3, pads=[1] * 4), name="deep"), 4, 1)
    model = quantize(model_of(build, last, cut=("deep",)), Noise(), tmp_path / "tiny.onnx").model
    assert largest_difference(PartitionedModel.of(model, Grid(3, 3)), next(Noise().pictures())) == 0


def test_a_network_that_begins_in_float_arithmetic_is_quantised_behind_it(tmp_path):
    build = ModelBuilder(SIZE, SIZE)
    scaled = build.layer("Div", "image", constants={"spread": np.array([1.5, 2.0, 2.5]).reshape(1, 3, 1, 1)})
    deep = build.layer("Relu", build.conv(scaled, 8, 3, pads=[1] * 4), name="deep")
    last = build.conv(build.layer("Relu", build.conv(deep, 8, 3, pads=[1] * 4)), 4, 1)
    model = quantize(model_of(build, last, cut=("deep",)), Noise(), tmp_path / "tiny.onnx").model
    assert largest_difference(PartitionedModel.of(model, Grid(2, 2)), next(Noise().pictures())) == 0


def test_nothing_is_said_on_the_way(tmp_path, caplog, capfd):
    with caplog.at_level(logging.WARNING):
        quantize(detector(), Noise(), tmp_path / "tiny.onnx")
    assert caplog.messages == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("fps", "count", "taken"), [(1.0, 7, 7), (10.0, 61, 7), (0.2, 4, 4)])
def test_a_sample_has_one_picture_for_every_second(fps, count, taken):
    sample = PictureSample(Noise(count, fps), hold_out=False)
    assert [held_out for held_out, _ in sample] == [False] * taken
    assert not sample.more


def test_of_five_pictures_the_second_is_held_out():
    held_out = [held_out for held_out, _ in PictureSample(Noise(11), hold_out=True)]
    assert [number for number, held in enumerate(held_out) if held] == [1, 6]


def test_a_sample_ends_at_its_cap_and_reads_no_further():
    source = Noise(MAX_PICTURES + 50)
    sample = PictureSample(source, hold_out=True)
    assert sum(1 for _ in sample) == MAX_PICTURES
    assert sample.more
    assert source.read == MAX_PICTURES + 1


def test_as_many_pictures_as_there_are_may_be_too_few_to_compare(tmp_path, nanodet):
    done = quantize(detector(), Noise(4), tmp_path / "tiny.onnx")
    assert (done.pictures, done.more_pictures, done.agreement) == (4, False, None)
    assert done.bytes_before > done.bytes_after > 0
    assert compare_detections(nanodet, nanodet, []) is None
    assert compare_detections(detector(), detector(), Noise(1).pictures()) is None


def found(label, left, score=0.5):
    return DetectedObject(label=label, score=score, box=(left, 0, left + 10, 10), box_rel=(0, 0, 1, 1))


def test_objects_are_the_same_when_labels_are_and_boxes_overlap_most():
    cat, near, nearer, far, dog = found("cat", 0), found("cat", 3), found("cat", 1), found("cat", 8), found("dog", 0)
    assert same_objects([cat], [near, nearer, far, dog]) == [(cat, nearer)]
    assert same_objects([cat], [far, dog]) == []
    assert same_objects([cat, near], [nearer]) == [(cat, nearer)]
    assert same_objects([], [cat]) == []


class Broken(Noise):
    def pictures(self):
        raise SourceError("folder pictures holds none")
        yield


@pytest.mark.parametrize(
    ("model", "out", "source", "error", "words"),
    [
        (detector, "tiny.tflite", Noise(), ConfigurationError, "must end in .onnx"),
        (detector, "taken/tiny.onnx", Noise(), ModelError, "tiny.onnx cannot be written: "),
        (detector, "tiny.onnx", Broken(), SourceError, "folder pictures holds none"),
        (lambda: detector(cut=("nowhere",)), "tiny.onnx", Noise(), CutError, "has no layer 'nowhere'"),
        (lambda: detector(cut=("boxes",)), "tiny.onnx", Noise(), CutError, "cut behind all of them together"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(tmp_path, model, out, source, error, words):
    (tmp_path / "taken").touch()
    with pytest.raises(error, match=words):
        quantize(model(), source, tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_model_of_one_convolution_is_refused(tmp_path):
    build = ModelBuilder(SIZE, SIZE)
    last = build.layer("Relu", build.conv("image", 8, 3))
    with pytest.raises(ModelError, match="it has no layer with a convolution behind it"):
        quantize(model_of(build, last), Noise(), tmp_path / "tiny.onnx")


def test_a_model_that_is_quantised_already_is_refused(quantised, tmp_path):
    with pytest.raises(ModelError, match="tiny is already quantised"):
        quantize(quantised, Noise(), tmp_path / "again.onnx")


def test_what_is_written_is_a_valid_model(quantised):
    onnx.checker.check_model(quantised.original, full_check=True)
    assert {entry.domain for entry in quantised.original.opset_import} == {""}
    partition(quantised.network, quantised.spec.cut, Grid(2, 2))
