"""Describe Darknet's detection layers, [region] and [yolo], for the decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from shared.model.spec import AnchorHead

if TYPE_CHECKING:
    from shared.model.darknet.config import DarknetSection
    from shared.model.darknet.graph import DarknetMap

HEAD_KINDS: dict[str, Literal["region", "yolo"]] = {"region": "region", "yolo": "yolo"}

Anchors = tuple[tuple[float, float], ...]

DEFAULT_CLASSES = 20
"""Darknet's default, from its first data set."""


def anchor_head(section: DarknetSection, source: DarknetMap, image: DarknetMap) -> tuple[AnchorHead, int]:
    """Return the head that reads `source`, with anchors in input pixels, and its number of classes.

    Raises ModelError for keys that contradict each other, the map or the image.
    """
    if source is image:
        raise section.error("is the first layer; it has no map to read")
    classes = section.get_int("classes", DEFAULT_CLASSES)
    stride = _stride(section, source, image)
    anchors = _region_anchors(section, stride) if section.kind == "region" else _yolo_anchors(section)
    values = len(anchors) * (5 + classes)
    if values != source.channels:
        raise section.error(
            f"with {len(anchors)} anchors and {classes} classes reads {values} channels, but {source.tensor} has "
            f"{source.channels}; correct filters= there, or classes= and the anchors here"
        )
    scale = section.get_float("scale_x_y", 1)
    if scale < 1:
        raise section.error("must be 1 or more", "scale_x_y")
    return AnchorHead(output=source.tensor, kind=HEAD_KINDS[section.kind], anchors=anchors, scale_x_y=scale), classes


def _stride(section: DarknetSection, source: DarknetMap, image: DarknetMap) -> int:
    """Return the pixels from cell to cell. Raises ModelError when the cells do not cover the image."""
    stride = source.stride
    covers = source.height * stride == image.height and source.width * stride == image.width
    if not covers or stride.denominator != 1:
        raise section.error(
            f"reads {source.height} x {source.width} cells of {stride} x {stride} pixels, not the whole image of "
            f"{image.height} x {image.width}; make width and height of [net] multiples of {stride}"
        )
    return int(stride)


def _region_anchors(section: DarknetSection, stride: int) -> Anchors:
    if section.get_int("coords", 4) != 4:
        raise section.error("is not supported; only coords=4 is", "coords")
    if section.get_int("softmax", 0, least=0) != 1:
        raise section.error("is not supported; only softmax=1 is", "softmax")
    return tuple((width * stride, height * stride) for width, height in _pairs(section))


def _yolo_anchors(section: DarknetSection) -> Anchors:
    pairs = _pairs(section)
    mask = section.get_ints("mask") if "mask" in section.options else range(len(pairs))
    if not all(0 <= index < len(pairs) for index in mask):
        raise section.error(f"must choose from the anchors 0 to {len(pairs) - 1}", "mask")
    return tuple(pairs[index] for index in mask)


def _pairs(section: DarknetSection) -> Anchors:
    """Return all anchors as they are written, (width, height)."""
    numbers, count = section.get_floats("anchors"), section.get_int("num", 1)
    if len(numbers) != 2 * count:
        raise section.error(f"has {len(numbers)} numbers; num={count} needs {2 * count}", "anchors")
    if min(numbers) <= 0:
        raise section.error("must all be larger than 0", "anchors")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
