from __future__ import annotations

import itertools

import pytest

from benchmarks import workload
from benchmarks.workload import FUSED_LAYERS, PAPER_CUT, YOLOV2_LAYERS, write_yolov2
from gateway.models.catalogue import open_model

HEADER_BYTES = 20
YOLOV2_BYTES = 203_934_260
"""Of yolov2.weights as its authors gave it out."""


def sections(cfg):
    """Name and options of every section."""
    for block in cfg.strip().split("["):
        if block:
            name, _, options = block.partition("]")
            yield name, dict(line.split("=") for line in options.strip().split("\n"))


def shapes_and_bytes(cfg):
    """Channels behind every layer, and the bytes of weights that a .cfg needs: Darknet's rules, written anew."""
    (_, net), *layers = sections(cfg)
    channels, count = [], 0
    before = int(net["channels"])
    for name, options in layers:
        match name:
            case "convolutional":
                filters, size = int(options["filters"]), int(options["size"])
                count += filters * (4 if options.get("batch_normalize") == "1" else 1) + filters * before * size**2
                before = filters
            case "route":
                before = sum(channels[int(index)] for index in options["layers"].split(","))
            case "reorg":
                before *= int(options["stride"]) ** 2
        channels.append(before)
    return channels, HEADER_BYTES + 4 * count


def test_the_fused_variant_can_be_opened_and_cut_behind_the_papers_16_layers(fused_cfg):
    network = open_model(str(fused_cfg)).network
    assert network.input_size == (608, 608)
    assert tuple(network.shapes[network.find_tensor(PAPER_CUT)]) == (1, 256, 38, 38)
    head = network.head_layers([network.find_tensor(PAPER_CUT)])
    assert sum(layer.op in {"Conv", "MaxPool"} for layer in head) == FUSED_LAYERS


def test_the_weights_are_as_long_as_the_cfg_needs(fused_cfg):
    _, needed = shapes_and_bytes(fused_cfg.read_text())
    assert fused_cfg.with_suffix(".weights").stat().st_size == needed


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(fused_cfg, tmp_path):
    again, other = write_yolov2(tmp_path / "again", whole=False), write_yolov2(tmp_path / "other", whole=False, seed=2)
    assert again.read_bytes() == other.read_bytes() == fused_cfg.read_bytes()
    weights = [cfg.with_suffix(".weights").read_bytes() for cfg in (fused_cfg, again, other)]
    assert weights[0] == weights[1] != weights[2]


def test_the_whole_network_is_yolov2_layer_for_layer():
    cfg = "\n\n".join(workload._network(YOLOV2_LAYERS, whole=True)[0])
    names = [name for name, _ in sections(cfg)]
    assert len(names) == 1 + 32
    assert [number for number, name in enumerate(names[1:]) if name == "maxpool"] == [1, 3, 7, 11, 17]
    assert names[26:] == ["route", "convolutional", "reorg", "route", "convolutional", "convolutional", "region"]
    routes = [
        (number, options["layers"]) for number, (name, options) in enumerate(sections(cfg), -1) if name == "route"
    ]
    assert routes == [(25, "-9"), (28, "-1,-4")]
    channels, _ = shapes_and_bytes(cfg)
    # The passthrough takes layer 16, in front of the last pooling, and is laid beside layer 24.
    assert (channels[16], channels[25], channels[27], channels[28], channels[30]) == (512, 512, 256, 1280, 425)


def test_the_whole_network_needs_as_many_weights_as_yolov2():
    parts, layers = workload._network(YOLOV2_LAYERS, whole=True)
    _, needed = shapes_and_bytes("\n\n".join(parts))
    # Its authors' file is of an older version, with 4 bytes for the pictures seen instead of 8.
    assert needed == YOLOV2_BYTES + 4
    written = sum(
        (1 if layer.head else 4) * layer.filters + layer.filters * layer.channels * layer.size**2 for layer in layers
    )
    assert HEADER_BYTES + 4 * written == needed


@pytest.mark.parametrize("whole", [True, False])
def test_every_convolution_takes_what_the_one_before_gives(whole):
    chain = YOLOV2_LAYERS if whole else YOLOV2_LAYERS[:FUSED_LAYERS]
    _, layers = workload._network(chain, whole=whole)
    assert layers[0].channels == 3
    straight = layers[: len([layer for layer in chain if layer != workload.MAX_POOL])]
    assert all(after.channels == before.filters for before, after in itertools.pairwise(straight))
    assert [layer.head for layer in layers] == [False] * (len(layers) - 1) + [True]
