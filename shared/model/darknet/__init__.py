"""Import networks of Darknet, the framework of YOLO (Redmon, 2016), from their .cfg and .weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.model.darknet.config import read_darknet_config
from shared.model.darknet.graph import DarknetMap
from shared.model.darknet.heads import HEAD_KINDS, anchor_head
from shared.model.darknet.keys import check_supported
from shared.model.darknet.layers import add_layer
from shared.model.darknet.network_builder import NetworkBuilder
from shared.model.darknet.weights import DarknetWeights

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from shared.model.darknet.config import DarknetSection
    from shared.model.spec import AnchorHead

IMAGE_INPUT = "image"
"""The model's input, float32 (1, channels, height, width)."""

MAX_INPUT_SIDE = 2**14
"""Pixels; no detector has a larger input, and its maps would not fit into memory."""


@dataclass(frozen=True, slots=True)
class DarknetModel:
    """A network as ONNX, whose outputs are the maps that its detection layers read, and a description of these layers.

    The tensor `layer_NN` is the output of Darknet's layer of that number. `heads` are in the order of the .cfg, as are
    the model's outputs.
    """

    model: onnx.ModelProto
    heads: tuple[AnchorHead, ...]
    classes: int


def load_darknet(cfg: Path, weights: Path) -> DarknetModel:
    """Import a network with [region] or [yolo] layers, exactly as Darknet computes it.

    Raises ModelError, with file and line or layer, for files that are unreadable, not Darknet's, not supported, or do
    not match each other.
    """
    net, sections = read_darknet_config(cfg)
    for section in (net, *sections):
        check_supported(section)
    if not any(section.kind in HEAD_KINDS for section in sections):
        raise ModelError(f"{cfg} detects nothing: it has no [region] and no [yolo] layer")
    build, found = NetworkBuilder(_image(net), DarknetWeights(weights)), []
    for section in sections:
        if section.kind in HEAD_KINDS:
            found.append(anchor_head(section, build.previous_map(section), build.image))
            build.end_layer(None)
        else:
            add_layer(build, section)
    build.weights.check_all_read()
    heads = tuple(head for head, _ in found)
    return DarknetModel(
        model=build.graph.to_model([head.output for head in heads]),
        heads=heads,
        classes=_classes(cfg, {classes for _, classes in found}),
    )


def _image(net: DarknetSection) -> DarknetMap:
    height, width = net.get_int("height"), net.get_int("width")
    for key, side in (("height", height), ("width", width)):
        if side > MAX_INPUT_SIDE:
            raise net.error(f"must be {MAX_INPUT_SIDE} or less", key)
    return DarknetMap(IMAGE_INPUT, net.get_int("channels"), height, width)


def _classes(cfg: Path, counts: set[int]) -> int:
    if len(counts) != 1:
        raise ModelError(f"{cfg}: its detection layers have different numbers of classes: {sorted(counts)}")
    return counts.pop()
