"""Measures the cost of tracking for the gateway: `python -m benchmarks.tracking`.

Detections of people who walk through zones are generated, so that only tracking is measured. The cost is printed in
percent of one core of this machine.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from gateway.configuration.cameras import DetectSection
from gateway.configuration.objects import ObjectsSection, ZoneSection
from gateway.observation.scene.scene import Scene
from gateway.observation.scene.scene_settings import SceneSettings
from shared.payloads.cluster import DetectedObject, FrameDetections, Latency

if TYPE_CHECKING:
    from collections.abc import Iterator

CAMERAS, FPS, OBJECTS, SECONDS = 20, 2.0, 20, 60
"""Number of cameras, frames a second and people of each, and length of its film."""

IMAGE_SIZE = (1920, 1080)
"""Width and height."""

WALK = 120.0
"""Speed of people who walk, in pixels a second."""

TREMBLE = 0.03
"""Standard deviation of each side of a box, relative to the person's height."""

MISSED = 0.1
"""Share of the detections that are left out, as a detector misses some."""

LATENCY = Latency(total=0, transfer=0, prepare=0, tiles=0, tail=0, decode=0)
ZONES = {
    "left": ZoneSection(coordinates=((0, 0), (0.5, 0), (0.5, 1), (0, 1))),
    "middle": ZoneSection(
        coordinates=((0.3, 0.2), (0.5, 0.1), (0.7, 0.2), (0.7, 0.9), (0.5, 1), (0.3, 0.9)), loitering_time=5
    ),
    "front": ZoneSection(coordinates=((0, 0.6), (1, 0.6), (1, 1), (0, 1)), inertia=1),
}


class Crowd:
    """Generates people who walk through one camera's picture and turn round at its sides."""

    def __init__(self, seed: int, objects: int = OBJECTS, fps: float = FPS, seconds: float = SECONDS) -> None:
        self._objects, self._fps, self._seconds = objects, fps, seconds
        self._random = random.Random(seed)  # noqa: S311  (each run must have the same scene)
        self._positions = [self._random.uniform(0, IMAGE_SIZE[0]) for _ in range(objects)]
        self._speeds = [self._random.choice([-WALK, 0, WALK]) for _ in range(objects)]
        self._heights = [self._random.uniform(80, 300) for _ in range(objects)]

    def frames(self) -> Iterator[FrameDetections]:
        """Yield the detections of each frame."""
        for number in range(int(self._seconds * self._fps)):
            yield FrameDetections(
                camera="camera", frame=f"camera-{number}", number=number, captured_at=number / self._fps,
                published_at=number / self._fps, latency_ms=LATENCY, model="m", grid="1x1", image=IMAGE_SIZE, nodes={},
                objects=self._detections(),
            )  # fmt: skip
            for person in range(self._objects):
                self._positions[person] += self._speeds[person] / self._fps
                if not 0 <= self._positions[person] <= IMAGE_SIZE[0]:
                    self._speeds[person] = -self._speeds[person]

    def _detections(self) -> tuple[DetectedObject, ...]:
        return tuple(self._detection(person) for person in range(self._objects) if self._random.random() > MISSED)

    def _detection(self, person: int) -> DetectedObject:
        height, x = self._heights[person], self._positions[person]
        noise = [self._random.gauss(0, TREMBLE * height) for _ in range(4)]
        feet = 300 + 2.5 * height
        sides = (x - 0.2 * height, feet - height, x + 0.2 * height, feet)
        left, top, right, bottom = (side + by for side, by in zip(sides, noise, strict=True))
        relative = (left / IMAGE_SIZE[0], top / IMAGE_SIZE[1], right / IMAGE_SIZE[0], bottom / IMAGE_SIZE[1])
        score = self._random.uniform(0.55, 0.95)
        return DetectedObject(label="person", score=score, box=(left, top, right, bottom), box_rel=relative)


def core_percent() -> float:
    """Return the CPU time of trackers and scenes, in percent of the time that the frames of a camera last."""
    settings = SceneSettings(ObjectsSection(), ZONES, DetectSection())
    films = [(Scene(f"camera-{seed}", settings), list(Crowd(seed).frames())) for seed in range(CAMERAS)]
    begun = time.process_time()
    for scene, frames in films:
        for frame in frames:
            scene.update(frame, degraded=False, latency_ms=0)
    return 100 * (time.process_time() - begun) / SECONDS


if __name__ == "__main__":
    percent = core_percent()
    frame_ms = 10 * percent / (CAMERAS * FPS)
    print(f"{CAMERAS} cameras, {FPS:g} frames a second, {OBJECTS} objects: {percent:.1f} % of one core")
    print(f"{frame_ms:.2f} ms a frame")
