"""Remedies for outputs that no decoder reads: the likely kind of network, and how to export another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.detection.decoding.family import InputSize, Shapes

_DEFAULT_REMEDY = "docs/models.md lists the models that can be read, and how to export them"


def remedy_for(shapes: Shapes, input_size: InputSize) -> str:
    """Return the likely kind of network, if any, and what to do about it."""
    kinds = (_classification, _undecoded_grid, _segmentation, _maps, _priors)
    return next(
        (remedy for kind in kinds if shapes and (remedy := kind(list(shapes.values()), input_size))), _DEFAULT_REMEDY
    )


def _classification(shapes: list[tuple[int, ...]], _size: InputSize) -> str:
    whole = all(len(shape) <= 2 and shape[:1] == (1,) for shape in shapes)
    return "networks with these outputs classify whole pictures; export a detector" if whole else ""


def _undecoded_grid(shapes: list[tuple[int, ...]], _size: InputSize) -> str:
    heads = all(len(shape) == 5 for shape in shapes)
    return (
        "these are heads before decoding; export it with its grid (YOLOv5: export.py, without --train)" if heads else ""
    )


def _segmentation(shapes: list[tuple[int, ...]], size: InputSize) -> str:
    map_of_all = len(shapes) == 1 and len(shapes[0]) == 4 and 4 * shapes[0][2] >= size[0]
    return "that looks like segmentation; export a detector" if map_of_all else ""


def _maps(shapes: list[tuple[int, ...]], _size: InputSize) -> str:
    maps = all(len(shape) == 4 for shape in shapes)
    return 'export it with its boxes decoded (Darknet\'s layers: write "heads" into its description)' if maps else ""


def _priors(shapes: list[tuple[int, ...]], _size: InputSize) -> str:
    alike = len(shapes) == 3 and len({shape[:2] for shape in shapes if len(shape) == 3}) == 1
    return "export it with its boxes decoded, and without landmarks" if alike else ""
