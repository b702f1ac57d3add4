"""Darknet networks for tests: their .cfg as Darknet's authors write them, and .weights of seeded random numbers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Section = tuple[str, dict[str, object]]

V2_ANCHORS = "0.57273, 0.677385, 1.87446, 2.06253, 3.33843, 5.47434, 7.88282, 3.52778, 9.77052, 9.16828"
V3_TINY_ANCHORS = "10,14,  23,27,  37,58,  81,82,  135,169,  344,319"

VERSION = (0, 2, 5)
"""The version that Darknet writes since 2018."""

KERNEL_VARIANCE = 2.4
"""Times the inputs of a kernel. Kernels sum up to 0, so that cells differ; this much lets the differences live."""

HEAD_LOGITS = (1.0, 1.0, 0.3, 0.3, 2.5)
"""Spread of x, y, width, height and objectness of a head; boxes stay near their anchors' size."""

CLASS_LOGITS = 4.0
"""Spread of the classes of a head: enough for some to stand out."""

OBJECTNESS_BIAS = -5.0
"""Most cells show nothing."""


@dataclass(frozen=True)
class DarknetFiles:
    """The two files of a network."""

    cfg: Path
    weights: Path


def yolov2(folder: Path, *, size=(608, 608), width=1.0, classes=80, seed=1) -> DarknetFiles:
    """YOLOv2, with its reorg. `size` is (height, width); `width` is the share of the filters that is kept."""
    plan: list[tuple[int, int] | None] = [
        (32, 3), None, (64, 3), None, (128, 3), (64, 1), (128, 3), None, (256, 3), (128, 1), (256, 3), None,
        (512, 3), (256, 1), (512, 3), (256, 1), (512, 3), None,
        (1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3), (1024, 3), (1024, 3),
    ]  # fmt: skip
    sections = [pool(2, 2) if layer is None else conv(scaled(layer[0], width), layer[1]) for layer in plan]
    sections += [
        ("route", {"layers": "-9"}),
        conv(scaled(64, width), 1),
        ("reorg", {"stride": 2}),
        ("route", {"layers": "-1,-4"}),
        conv(scaled(1024, width), 3),
        head_conv(5 * (5 + classes)),
        region(V2_ANCHORS, classes),
    ]
    return write(folder, [net(size), *sections], seed=seed)


def yolov3_tiny(folder: Path, *, size=(416, 416), width=1.0, classes=80, seed=1) -> DarknetFiles:
    """YOLOv3-tiny, with its pool of stride 1; arguments as for yolov2."""
    sections = []
    for filters, stride in ((16, 2), (32, 2), (64, 2), (128, 2), (256, 2), (512, 1)):
        sections += [conv(scaled(filters, width), 3), pool(2, stride)]
    sections += [
        conv(scaled(1024, width), 3),
        conv(scaled(256, width), 1),
        conv(scaled(512, width), 3),
        head_conv(3 * (5 + classes)),
        yolo("3,4,5", V3_TINY_ANCHORS, classes),
        ("route", {"layers": "-4"}),
        conv(scaled(128, width), 1),
        ("upsample", {"stride": 2}),
        ("route", {"layers": "-1, 8"}),
        conv(scaled(256, width), 3),
        head_conv(3 * (5 + classes)),
        yolo("0,1,2", V3_TINY_ANCHORS, classes),
    ]
    return write(folder, [net(size), *sections], seed=seed)


def yolov4_tiny(folder: Path, *, size=(416, 416), width=1.0, classes=80, seed=1) -> DarknetFiles:
    """YOLOv4-tiny, with its routes of half the channels; arguments as for yolov2."""
    sections = [conv(scaled(32, width), 3, stride=2), conv(scaled(64, width), 3, stride=2)]
    for filters in (64, 128, 256):
        sections += [
            conv(scaled(filters, width), 3),
            ("route", {"layers": "-1", "groups": 2, "group_id": 1}),
            conv(scaled(filters, width) // 2, 3),
            conv(scaled(filters, width) // 2, 3),
            ("route", {"layers": "-1,-2"}),
            conv(scaled(filters, width), 1),
            ("route", {"layers": "-6,-1"}),
            pool(2, 2),
        ]
    more = {"scale_x_y": 1.05, "iou_loss": "ciou", "nms_kind": "greedynms", "beta_nms": 0.6}
    sections += [
        conv(scaled(512, width), 3),
        conv(scaled(256, width), 1),
        conv(scaled(512, width), 3),
        head_conv(3 * (5 + classes)),
        yolo("3,4,5", V3_TINY_ANCHORS, classes, **more),
        ("route", {"layers": "-4"}),
        conv(scaled(128, width), 1),
        ("upsample", {"stride": 2}),
        ("route", {"layers": "-1, 23"}),
        conv(scaled(256, width), 3),
        head_conv(3 * (5 + classes)),
        yolo("1,2,3", V3_TINY_ANCHORS, classes, **more),
    ]
    return write(folder, [net(size), *sections], seed=seed)


def everything(folder: Path, *, size=(64, 96), width=1.0, classes=3, seed=1) -> DarknetFiles:
    """Write a network with every activation, groups, dropout, shortcuts, pools of all kinds, absolute routes."""
    many = scaled(16, width)
    sections: list[Section] = [
        conv(many, 3, activation="mish"),
        conv(many, 3, stride=2, activation="relu"),
        ("dropout", {"probability": 0.5}),
        conv(many, 3, activation="swish", groups=2),
        ("shortcut", {"from": "-3", "activation": "leaky"}),
        pool(2, 1),
        pool(3, 2),
        pool(5, 1),
        ("route", {"layers": "-1,6"}),
        ("convolutional", {"filters": many, "size": 3, "padding": 1, "stride": 1, "activation": "logistic"}),
        ("shortcut", {"from": "7"}),
        conv(16, 5, stride=2, activation="linear"),
        ("maxpool", {"size": 4, "stride": 2, "padding": 2}),
        ("upsample", {"stride": 4}),
        ("route", {"layers": "10,-1"}),
        head_conv(2 * (5 + classes)),
        yolo("2,0", "10,20, 20,10, 30,25", classes, scale_x_y=1.2),
        ("route", {"layers": "-6"}),
        ("upsample", {"stride": 2, "scale": 1}),
        ("reorg", {"stride": 4}),
        head_conv(2 * (5 + classes)),
        region("0.5,0.7, 2,1.5", classes),
    ]
    return write(folder, [net(size), *sections], seed=seed)


def scaled(filters: int, width: float) -> int:
    """Return a share of the filters that groups and reorgs can still divide."""
    return 8 * max(1, round(filters * width / 8))


def net(size=(416, 416), **more) -> Section:
    """Return the [net] section, with (height, width)."""
    training = {"batch": 1, "subdivisions": 1, "momentum": 0.9, "decay": 0.0005, "hue": ".1", "policy": "steps"}
    return "net", {"height": size[0], "width": size[1], "channels": 3, **training, **more}


def conv(filters: int, size: int, *, stride=1, activation="leaky", **more) -> Section:
    """Return a convolution with batch normalisation whose padding keeps the map's size."""
    options = {"batch_normalize": 1, "filters": filters, "size": size, "stride": stride, "pad": 1}
    return "convolutional", {**options, "activation": activation, **more}


def head_conv(filters: int) -> Section:
    """Return the convolution before a detection layer."""
    return "convolutional", {"size": 1, "stride": 1, "pad": 1, "filters": filters, "activation": "linear"}


def pool(size: int, stride: int) -> Section:
    return "maxpool", {"size": size, "stride": stride}


def region(anchors: str, classes: int, **more) -> Section:
    num = len(anchors.split(",")) // 2
    training = {"bias_match": 1, "jitter": ".2", "rescore": 0, "absolute": 1, "thresh": ".6", "random": 1}
    return "region", {"anchors": anchors, "classes": classes, "coords": 4, "num": num, "softmax": 1, **training, **more}


def yolo(mask: str, anchors: str, classes: int, **more) -> Section:
    num = len(anchors.split(",")) // 2
    training = {"jitter": ".3", "ignore_thresh": ".7", "truth_thresh": 1, "random": 1}
    return "yolo", {"mask": mask, "anchors": anchors, "classes": classes, "num": num, **training, **more}


def write(folder: Path, sections: Sequence[Section], *, seed=1, version=VERSION) -> DarknetFiles:
    """Write network.cfg, and the network.weights that belong to it, into `folder`."""
    files = DarknetFiles(folder / "network.cfg", folder / "network.weights")
    files.cfg.write_text(cfg_text(sections))
    write_weights(files.weights, random_weights(sections, seed), version)
    return files


def cfg_text(sections: Sequence[Section]) -> str:
    return "\n\n".join(
        "\n".join([f"[{kind}]", *(f"{key} = {value}" for key, value in options.items())]) for kind, options in sections
    )


def write_weights(path: Path, arrays: Sequence[np.ndarray], version=VERSION) -> None:
    """Write a .weights file; the count of training pictures has 4 bytes up to version 0.1, then 8."""
    seen = struct.pack("<q" if version[0] * 10 + version[1] >= 2 else "<i", 32_013_312)
    with path.open("wb") as file:
        file.write(struct.pack("<3i", *version) + seen)
        for array in arrays:
            file.write(array.astype("<f4").tobytes())


def random_weights(sections: Sequence[Section], seed: int) -> list[np.ndarray]:
    """Return the arrays of all convolutions in Darknet's order, scaled so that maps keep the image's magnitude."""
    random = np.random.default_rng(seed)
    arrays: list[np.ndarray] = []
    channels: list[int] = []
    for number, (kind, options) in enumerate(sections[1:]):
        before = channels[-1] if channels else _whole(sections[0][1], "channels", 3)
        if kind == "convolutional":
            following = sections[number + 2] if number + 2 < len(sections) else ("", {})
            arrays += _convolution(random, before, options, following)
            channels.append(_whole(options, "filters", 1))
        elif kind == "route":
            numbers = (int(index) for index in str(options["layers"]).split(","))
            joined = sum(channels[index + number if index < 0 else index] for index in numbers)
            channels.append(joined // _whole(options, "groups", 1))
        else:
            channels.append(before * _whole(options, "stride", 1) ** 2 if kind == "reorg" else before)
    return arrays


def _whole(options: dict[str, object], key: str, default: int) -> int:
    return int(str(options.get(key, default)))


def _convolution(
    random: np.random.Generator, channels: int, options: dict[str, object], following: Section
) -> list[np.ndarray]:
    filters, size = _whole(options, "filters", 1), _whole(options, "size", 1)
    shape = (filters, channels // _whole(options, "groups", 1), size, size)
    kernels = random.standard_normal(shape) * np.sqrt(KERNEL_VARIANCE / np.prod(shape[1:]))
    kernels -= kernels.mean(axis=(1, 2, 3), keepdims=True)
    biases = random.normal(0, 0.1, filters)
    if following[0] in {"region", "yolo"}:
        classes = _whole(following[1], "classes", 20)
        anchors = filters // (5 + classes)
        kernels *= np.tile([*HEAD_LOGITS, *[CLASS_LOGITS] * classes], anchors)[:, None, None, None]
        biases[4 :: 5 + classes] += OBJECTNESS_BIAS
    if not options.get("batch_normalize"):
        return [biases, kernels]
    scales, variances = random.uniform(0.9, 1.3, filters), random.uniform(0.5, 2, filters)
    return [biases, scales, random.normal(0, 0.2, filters), variances, kernels]
