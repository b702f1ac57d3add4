"""Quantises a float model to int8 with onnxruntime's tool, in the QDQ format, calibrated with pictures.

Convolutions and the operators between them are computed in integers. Sums of integers do not depend on the order, so
tiles equal the undivided network exactly. The last convolutions and everything behind them stay float, because
coordinates and scores are in one map there, and eight bits with one scale are too few for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from gateway.models.catalogue import Model, choose_cut, open_model
from gateway.quantization.agreement import Agreement, compare_detections
from shared.engine.sessions import open_session
from shared.errors import ConfigurationError, CutError, DeepThingsError, ModelError
from shared.files.unfinished import temporary_folder
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.model.letterbox import Letterbox
from shared.model.loading import describe_network, plain_model
from shared.model.normalising import normalise
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from camera_sources.source import Source
    from shared.model.arrays import FeatureMap, Pixels

MAX_PICTURES = 100
"""Pictures for calibration: the ranges change little after ten, and each picture takes a run of the float model."""

HOLD_OUT_EVERY = 5
"""One picture in this many is kept for the comparison, and not used for calibration."""

CUT_GRID = Grid(3, 3)
"""The grid for which a cut is chosen if the description has none; it is the default of all commands."""

CONVOLUTIONS = frozenset(["Conv", "ConvTranspose"])
"""Operators in front of which others are computed in integers."""

MIXING = frozenset(["Add", "Concat", "Mul"])
"""Operators that stay float if one of their inputs is a table of constants, such as the positions of cells."""

INTEGER_OPERATORS = MIXING | frozenset(
    ["Clip", "Conv", "LeakyRelu", "MaxPool", "Pad", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Split",
     "Squeeze", "Transpose", "Unsqueeze"]
)  # fmt: skip
"""Operators that onnxruntime computes in integers on every processor."""

QUANTISED_OPERATORS = frozenset(["ConvInteger", "DequantizeLinear", "QLinearConv", "QuantizeLinear"])
"""Operators that a float model does not have."""

_UNTILEABLE = "SliceConcatToSpaceToDepthFusion;TransposeOptimizer"
"""Optimisers of onnxruntime that make layers which cannot be tiled."""

_PREPARED = {"key": "onnx.quant.pre_process", "value": "onnxruntime.quant"}
"""Metadata that tells quantize_static that the model is prepared as it recommends; otherwise it would warn."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """The int8 model, and how it was made.

    `pictures`: the number used for calibration; `more_pictures`: there were more; `agreement`: that with the float
    model, None without a decoder or without a second picture.
    """

    model: Model
    pictures: int
    more_pictures: bool
    bytes_before: int
    bytes_after: int
    agreement: Agreement | None


class PictureSample:
    """Iterates over pictures of a source, one for every second, at most MAX_PICTURES: pairs (held out, picture).

    Held-out pictures are not for calibration, but for the comparison. `more`, which is set by an iteration, tells
    whether the source has more pictures.
    """

    def __init__(self, source: Source, *, hold_out: bool) -> None:
        self._source = source
        self._hold_out = hold_out
        self.more = False

    def __iter__(self) -> Iterator[tuple[bool, Pixels]]:
        every = max(1, round(self._source.fps))
        for number, picture in enumerate(islice(self._source.pictures(), None, None, every)):
            if number == MAX_PICTURES:
                self.more = True
                return
            yield self._hold_out and number % HOLD_OUT_EVERY == 1, picture


class Calibration:
    """Gives pictures to quantize_static, preprocessed as for detection, and read one at a time."""

    def __init__(self, model: Model, sample: PictureSample) -> None:
        self._model = model
        self._pictures = (picture for held_out, picture in sample if not held_out)
        self.count = 0

    def get_next(self) -> dict[str, FeatureMap] | None:
        """Return the network's input for the next picture, float32 (1, 3, H, W); None after the last."""
        picture = next(self._pictures, None)
        if picture is None:
            return None
        self.count += 1
        preprocessing = self._model.spec.preprocessing
        letterbox = Letterbox.for_picture(picture.shape, self._model.network.input_size, preprocessing)
        return {self._model.network.input: normalise(letterbox.apply(picture, preprocessing), preprocessing)}


def quantize(model: Model, source: Source, out: Path) -> Quantised:
    """Write the int8 model to `out` and its description beside it (same name, .json); existing files are replaced.

    Raises ConfigurationError when `out` does not end in .onnx, ModelError for a model that cannot be quantised or tiled
    and for a file that cannot be written, SourceError for pictures that cannot be read.
    """
    name = model.spec.name
    if out.suffix != ".onnx":
        raise ConfigurationError(f"--out {out}: invalid name; it must end in .onnx")
    if any(node.op_type in QUANTISED_OPERATORS for node in model.proto.graph.node):
        raise ModelError(f"{name} is already quantised; use the original float model")
    cut = choose_cut(model, None, CUT_GRID)
    partition(model.network, cut, Grid(1, 1))
    sample = PictureSample(source, hold_out=model.spec.decoder is not None)
    calibration = Calibration(model, sample)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder("quantize", out.parent) as folder:
            proto = _in_integers(_simplified(model, cut, folder), model, calibration, folder)
            changes = {"name": out.stem, "file": out.name, "cut": _pair_at_cut(proto, cut)}
            open_session(plain_model(proto, name).SerializeToString(), 1)
            description, written = folder / "model.json", folder / "model.onnx"
            description.write_text(model.spec.model_copy(update=changes).model_dump_json(indent=2, exclude_none=True))
            onnx.save(proto, written)
            description.replace(out.with_suffix(".json"))
            written.replace(out)
    except DeepThingsError:  # a SourceError is an OSError, too
        raise
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {system_reason(error)}") from error
    quantised = open_model(str(out))
    agreement = compare_detections(model, quantised, (picture for held_out, picture in sample if held_out))
    sizes = model.original.ByteSize(), quantised.original.ByteSize()
    return Quantised(quantised, calibration.count, sample.more, *sizes, agreement)


def _simplified(model: Model, cut: Sequence[str], folder: Path) -> onnx.ModelProto:
    """Return the model in plain form, with operators folded into convolutions, and a unique name for every node."""
    proto, path = onnx.ModelProto(), folder / "simple.onnx"
    proto.CopyFrom(model.proto)
    image = [value for value in model.proto.graph.input if value.name == model.network.input]
    del proto.graph.input[:]
    proto.graph.input.extend(image)  # only the picture: constants that are listed as inputs would not be folded
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options = {"graph_optimization_level": level, "optimized_model_filepath": str(path)}
    open_session(proto.SerializeToString(), 1, options, {"optimization.disable_specified_optimizers": _UNTILEABLE})
    simple = plain_model(onnx.load(path), model.spec.name)
    try:
        partition(describe_network(simple, model.spec.name), cut, Grid(1, 1))
    except CutError:  # the cut is inside a folded layer, so the model is used without folding
        simple = proto
    names: set[str] = set()
    for node in simple.graph.node:
        node.name = node.name if node.name and node.name not in names else f"{node.output[0]}.node"
        names.add(node.name)
    domains = {node.domain for node in simple.graph.node}
    imports = [helper.make_opsetid(entry.domain, entry.version) for entry in simple.opset_import]
    del simple.opset_import[:]
    simple.opset_import.extend(entry for entry in imports if entry.domain in domains)
    simple.metadata_props.add(**_PREPARED)
    return simple


def _in_integers(proto: onnx.ModelProto, model: Model, calibration: Calibration, folder: Path) -> onnx.ModelProto:
    """Return the model in QDQ format.

    Weights have a scale for each channel, because one scale for all loses objects. They have 7 bits, because sums of 8
    bits overflow on x86 without VNNI, and tiles of different devices would then differ. Maps are uint8, which has fast
    kernels on x86 and ARM.
    """
    name, preprocessing = model.spec.name, model.spec.preprocessing
    layers = _integer_layers(proto)
    if not layers:
        raise ModelError(f"{name} cannot be quantised: it has no layer with a convolution behind it")
    ends = [(pixel - m) / s for pixel in (0, 255) for m, s in zip(preprocessing.mean, preprocessing.std, strict=True)]
    whole_range = {"rmin": np.float32(min(0.0, *ends)), "rmax": np.float32(max(0.0, *ends))}
    onnx.save(proto, folder / "float.onnx")
    try:
        quantize_static(
            folder / "float.onnx", folder / "int8.onnx", calibration, quant_format=QuantFormat.QDQ,
            op_types_to_quantize=sorted(INTEGER_OPERATORS), nodes_to_quantize=layers, per_channel=True,
            reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            extra_options={"TensorQuantOverrides": {model.network.input: [whole_range]}},
        )  # fmt: skip
    except DeepThingsError:
        raise
    except Exception as error:  # the tools of onnxruntime raise many kinds of errors
        lines = str(error).splitlines() or ["no reason is known"]
        raise ModelError(f"{name} cannot be quantised: {lines[0]}") from error
    return onnx.load(folder / "int8.onnx")


def _integer_layers(proto: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes to compute in integers: supported ones with a convolution somewhere behind them."""
    tables = {tensor.name for tensor in proto.graph.initializer if prod(tensor.dims) > 1}
    wanted: set[str] = set()
    layers = []
    for node in reversed(proto.graph.node):
        needed = bool(wanted.intersection(node.output))
        if needed or node.op_type in CONVOLUTIONS:
            wanted.update(node.input)
        if needed and node.op_type in INTEGER_OPERATORS - (MIXING if tables.intersection(node.input) else frozenset()):
            layers.append(node.name)
    return layers


def _pair_at_cut(proto: onnx.ModelProto, cut: Sequence[str]) -> tuple[str, ...]:
    """Move the cut behind the DequantizeLinear of each map, and return the maps there.

    A second pair of QuantizeLinear and DequantizeLinear follows, so that the tail begins in integers, too.
    """
    quantised = {node.input[0]: node.output[0] for node in proto.graph.node if node.op_type == "QuantizeLinear"}
    floats = {node.input[0]: node for node in proto.graph.node if node.op_type == "DequantizeLinear"}
    pairs = {tensor: floats[quantised[tensor]] for tensor in cut if tensor in quantised}
    maps = tuple(pairs[tensor].output[0] if tensor in pairs else tensor for tensor in cut)
    head = set(maps)
    for node in reversed(proto.graph.node):
        head.update(node.input if head.intersection(node.output) else ())
    nodes: list[onnx.NodeProto] = []
    for node in proto.graph.node:
        for at, source in enumerate(node.input):
            behind = source in maps and not head.intersection(node.output)
            node.input[at] = f"{source}.again" if behind and source not in cut else source
        nodes.append(node)
        if node.output[0] in maps and node.output[0] not in cut:
            again, scale = f"{node.output[0]}.again", list(node.input)[1:]
            nodes += [
                helper.make_node("QuantizeLinear", [node.output[0], *scale], [f"{again}.int8"], f"{again}.int8"),
                helper.make_node("DequantizeLinear", [f"{again}.int8", *scale], [again], again),
            ]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    return maps
