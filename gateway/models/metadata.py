"""Reads the metadata that Ultralytics and others write into a model file: task, labels and size of the input."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT_BYTES = 64 * 1024
"""Longer properties are ignored, because parsing takes memory; the 1203 labels of LVIS take 25 KiB."""

MAX_NAMES = 2000
"""Labels of a model; with more, all are ignored."""

MAX_NAME_LENGTH = 100
"""Characters of a label that are kept, because messages contain it."""

OTHER_TASKS = {
    "pose": "finds poses",
    "obb": "finds oriented boxes",
    "classify": "classifies whole pictures",
    "semantic": "finds the class of each pixel",
    "depth": "measures depth",
}
"""Tasks whose outputs no decoder reads, and what their models do. The boxes of segmentation (segment) can be read."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a model file. Missing: `task` is "", `names` is empty, `size` (height, width) is None."""

    task: str = ""
    names: tuple[str, ...] = ()
    size: tuple[int, int] | None = None

    @property
    def refusal(self) -> str:
        """Return the reason why the outputs of this task cannot be read as boxes; "" when they can be."""
        action = OTHER_TASKS.get(self.task)
        return f"the file says that it {action} (task {self.task}); export a detector (task detect)" if action else ""


def read_metadata(properties: Mapping[str, str]) -> Metadata:
    """Return the metadata in the properties of an ONNX file, by key; text that cannot be parsed is ignored."""
    return Metadata(properties.get("task", "").strip().lower(), _names(properties.get("names", "")),
                    _size(properties.get("imgsz", "")))  # fmt: skip


def _value(text: str) -> object:
    """Return the value of a Python or JSON literal; None for other text, and for text that is too long."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def _size(text: str) -> tuple[int, int] | None:
    """Return height and width of the pictures that the network was exported for."""
    size = _value(text)
    size = [size, size] if isinstance(size, int) else size
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        return None
    return size[0], size[1]


def _names(text: str) -> tuple[str, ...]:
    """Return labels by class number, from the text of a dictionary or list."""
    names = _value(text)
    if isinstance(names, list | tuple):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return ()
    try:
        by_number = {int(number): " ".join(str(name).split())[:MAX_NAME_LENGTH] for number, name in names.items()}
    except (TypeError, ValueError):
        return ()
    if not by_number or min(by_number) < 0 or max(by_number) >= MAX_NAMES:
        return ()
    return tuple(by_number.get(number) or f"class_{number}" for number in range(max(by_number) + 1))
