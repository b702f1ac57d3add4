"""What a model file says of itself in its metadata, as Ultralytics and others write it: its task, and its classes."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT_BYTES = 64 * 1024
"""Text of a property that is read: 1203 of LVIS take 25 KiB, and parsing more takes memory."""

MAX_NAMES = 2000
MAX_NAME_LENGTH = 100
"""Characters of a label that are kept: they go into every message about it."""

OTHER_TASKS = {
    "pose": "finds poses",
    "obb": "finds oriented boxes",
    "classify": "classifies whole pictures",
    "semantic": "finds the class of each pixel",
    "depth": "measures depth",
}
"""Tasks whose outputs are not read; boxes of segmentation (segment) are."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """`task` is "", `names` are none and `size` (height, width, in pixels) is None where the file does not say them."""

    task: str = ""
    names: tuple[str, ...] = ()
    size: tuple[int, int] | None = None

    @property
    def refusal(self) -> str:
        """Why the outputs of such a task cannot be read as boxes; empty where they can."""
        what = OTHER_TASKS.get(self.task)
        return f"the file says that it {what} (task {self.task}); export a detector (task detect)" if what else ""


def read_metadata(properties: Mapping[str, str]) -> Metadata:
    """Return what properties of an ONNX file, by key, say; text that cannot be read says nothing."""
    return Metadata(properties.get("task", "").strip().lower(), _names(properties.get("names", "")),
                    _size(properties.get("imgsz", "")))  # fmt: skip


def _value(text: str) -> object:
    """What Python or JSON writes so; None for anything else, and for what is too long."""
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
    """Height and width of the pictures that the network was trained on, or exported with."""
    said = _value(text)
    said = [said, said] if isinstance(said, int) else said
    if not isinstance(said, list | tuple) or len(said) != 2 or not all(isinstance(n, int) and n > 0 for n in said):
        return None
    return said[0], said[1]


def _names(text: str) -> tuple[str, ...]:
    """Labels by class number, of a dictionary or list."""
    said = _value(text)
    if isinstance(said, list | tuple):
        said = dict(enumerate(said))
    if not isinstance(said, dict):
        return ()
    try:
        by_number = {int(number): " ".join(str(name).split())[:MAX_NAME_LENGTH] for number, name in said.items()}
    except (TypeError, ValueError):
        return ()
    if not by_number or min(by_number) < 0 or max(by_number) >= MAX_NAMES:
        return ()
    return tuple(by_number.get(number) or f"class_{number}" for number in range(max(by_number) + 1))
