"""Fit a picture into the network's input: the aspect ratio is kept, bars fill the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import cv2
import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import FloatArray, Pixels
    from shared.model.spec import Preprocessing

# For the whole process: OpenCV's own threads go on spinning after each call, while tiles need the cores.
cv2.setNumThreads(1)

_ROWS_AT_ONCE = 32
"""Rows whose channels are swapped together: the copy fits into the processor's cache, and its memory is used again."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Placement of a picture of `image_height` x `image_width` in an input of `height` x `width`, in pixels."""

    image_height: int
    image_width: int
    height: int
    width: int
    align: Literal["centre", "top-left"] = "centre"

    @classmethod
    def for_picture(cls, picture: tuple[int, ...], input_size: tuple[int, int], preprocessing: Preprocessing) -> Self:
        """Place a picture of this shape, (H, W) or (H, W, 3), in an input of (height, width)."""
        return cls(picture[0], picture[1], *input_size, preprocessing.align)

    @property
    def scale(self) -> float:
        """Return the number of input pixels per picture pixel."""
        return min(self.height / self.image_height, self.width / self.image_width)

    @property
    def size(self) -> tuple[int, int]:
        """Return (height, width) of the scaled picture."""
        return (
            max(1, min(self.height, round(self.image_height * self.scale))),
            max(1, min(self.width, round(self.image_width * self.scale))),
        )

    @property
    def offset(self) -> tuple[int, int]:
        """Return the rows above and the columns left of the scaled picture."""
        if self.align == "top-left":
            return 0, 0
        height, width = self.size
        return (self.height - height) // 2, (self.width - width) // 2

    def apply(self, image: Pixels, preprocessing: Preprocessing) -> Pixels:
        """Scale `image`, uint8 BGR (H, W, 3), into an input-sized uint8 array (height, width, 3)."""
        top, left = self.offset
        height, width = self.size
        boxed = np.empty((self.height, self.width, 3), np.uint8)
        for bar in (boxed[:top], boxed[top + height :], boxed[:, :left], boxed[:, left + width :]):
            bar[...] = preprocessing.fill
        inner = boxed[top : top + height, left : left + width]
        scaled = cv2.resize(image, (width, height), dst=inner, interpolation=cv2.INTER_LINEAR)
        if scaled is not inner:  # OpenCV makes another array where it cannot use this one
            inner[...] = scaled
        if preprocessing.channels == "rgb":
            for start in range(0, height, _ROWS_AT_ONCE):
                rows = inner[start : start + _ROWS_AT_ONCE]
                rows[...] = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)
        return boxed

    def to_image(self, boxes: FloatArray) -> FloatArray:
        """Convert boxes (N, 4), as left, top, right, bottom, from input to picture pixels, clipped to the picture."""
        top, left = self.offset
        height, width = self.size
        scale = np.array([self.image_width / width, self.image_height / height] * 2, np.float32)
        moved = (boxes - np.array([left, top, left, top], np.float32)) * scale
        limits = np.array([self.image_width, self.image_height] * 2, np.float32)
        return np.asarray(np.clip(moved, 0, limits), np.float32)
