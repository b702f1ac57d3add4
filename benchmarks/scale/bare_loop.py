"""A program that does a detector's whole job in one loop, without any cluster, and measures its speed.

python -P -m benchmarks.scale.bare_loop DESCRIPTION THREADS

It prints "ready". Then it reads orders as JSON, one a line, and answers each with a line of figures. Of the product it
uses only the parts that any such program would have: letterbox, decoding and suppression.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnxruntime

from benchmarks.scale.bare_figures import BareFigures, BareOrder
from benchmarks.scale.bare_model import BareModel
from camera_sources.source import FOOTAGE
from shared.detection.detector import Detector
from shared.model.letterbox import Letterbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.arrays import FeatureMap, Pixels
    from shared.model.spec import Preprocessing

WARM_UP_FRAMES = 2
"""Frames that are not measured: the first runs take longer, because they allocate the network's memory."""


class BareDetector:
    """A detector with an ordinary session of onnxruntime, which reads its pictures from the project's footage."""

    def __init__(self, description: Path, threads: int) -> None:
        model = BareModel.read(description)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(model.file), options, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name
        self._outputs = list(model.outputs)
        self._size = model.input_size
        self._preprocessing = model.spec.preprocessing
        self._tables = normalising_tables(model.spec.preprocessing)
        self._detector = Detector(model.spec, model.input_size, model.outputs, self._outputs)
        self._capture = cv2.VideoCapture(str(FOOTAGE))
        self._feed = self._input_of(self._next_picture())

    def detect_next(self) -> None:
        """Do the whole job for the next picture of the footage."""
        picture = self._next_picture()
        letterbox = Letterbox.for_picture(picture.shape, self._size, self._preprocessing)
        maps = self._session.run(self._outputs, {self._name: self._input_of(picture, letterbox)})
        self._detector.detect(maps, letterbox)

    def run_session(self) -> None:
        """Run only the network, always with the same picture."""
        self._session.run(self._outputs, {self._name: self._feed})

    def _next_picture(self) -> Pixels:
        found, picture = self._capture.read()
        if not found:
            self._capture = cv2.VideoCapture(str(FOOTAGE))
            _, picture = self._capture.read()
        return np.asarray(picture, np.uint8)

    def _input_of(self, picture: Pixels, letterbox: Letterbox | None = None) -> FeatureMap:
        placed = letterbox or Letterbox.for_picture(picture.shape, self._size, self._preprocessing)
        return normalised(placed.apply(picture, self._preprocessing), self._tables)


def normalising_tables(preprocessing: Preprocessing) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Return a table for each channel, which maps each of the 256 values of a pixel to the network's input."""
    values = np.arange(256, dtype=np.float32)
    mean, std = (np.array(numbers, np.float32) for numbers in (preprocessing.mean, preprocessing.std))
    return [(values - mean[channel]) / std[channel] for channel in range(3)]


def normalised(pixels: Pixels, tables: list[np.ndarray[Any, np.dtype[np.float32]]]) -> FeatureMap:
    """Return the network's input, float32 (1, 3, H, W), for pixels uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    result = np.empty((1, 3, height, width), np.float32)
    for channel, table in enumerate(tables):
        cv2.LUT(np.ascontiguousarray(pixels[:, :, channel]), table, result[0, channel])
    return result


def measure(work: Callable[[], None], order: BareOrder) -> BareFigures:
    """Repeat the work until both the order's time has passed and its number of frames is done."""
    latencies: list[float] = []
    begun, used = time.perf_counter(), time.process_time()
    now = begun
    while now - begun < order.seconds or len(latencies) < order.frames:
        work()
        done = time.perf_counter()
        latencies.append(done - now)
        now = done
    return BareFigures.of(latencies, now - begun, time.process_time() - used)


def main() -> None:
    """Carry out orders until the input ends."""
    cv2.setNumThreads(1)
    detector = BareDetector(Path(sys.argv[1]), int(sys.argv[2]))
    for _ in range(WARM_UP_FRAMES):
        detector.detect_next()
    print("ready", flush=True)
    for line in sys.stdin:
        order = BareOrder(**json.loads(line))
        figures = measure(detector.run_session if order.session_only else detector.detect_next, order)
        print(json.dumps(asdict(figures)), flush=True)


if __name__ == "__main__":
    main()
