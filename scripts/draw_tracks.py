"""Draw the tracks of the bundled clip into one picture of it.

    .venv/bin/python scripts/draw_tracks.py docs/images/tracks.jpg

A line is the path of one object's feet, with a white dot where it began; a box is where it is in the frame shown.
"""

import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from gateway.observation.tracking.tracker import Tracker
from gateway.observation.tracking.tracks import TrackerSettings
from gateway.planning.partitioned import PartitionedModel, TiledHead
from shared.ftp.grid import Grid
from shared.model.letterbox import Letterbox

SHOWN_FRAME = 205
LABELS = {"person", "car"}
MIN_SCORE = 0.5
"""Detections with a lower score are ignored."""
MIN_DETECTIONS = 10
"""Tracks with fewer detections are not drawn."""


def main() -> None:
    """Write the file that the command line names."""
    source = open_source(str(FOOTAGE))
    partitioned = PartitionedModel.of(open_model(DEFAULT_MODEL), Grid(1, 1))
    head, detector = TiledHead(partitioned, 1), partitioned.detector(1)
    tracker, paths, boxes = Tracker(TrackerSettings()), defaultdict(list), {}
    for number, picture in enumerate(source.pictures()):
        height, width = picture.shape[:2]
        letterbox = Letterbox.for_picture(
            picture.shape, partitioned.model.network.input_size, partitioned.spec.preprocessing
        )
        maps = head.run(letterbox.apply(picture, partitioned.spec.preprocessing))
        objects = detector.detect(maps, letterbox).objects
        seen = [found for found in objects if found.label in LABELS and found.score >= MIN_SCORE]
        for track in tracker.update(number / source.fps, seen, (width, height)).live:
            if track.visible:
                left, _, right, bottom = track.box
                paths[track.id].append((round((left + right) / 2), round(bottom)))
                if number == SHOWN_FRAME:
                    boxes[track.id] = [round(side) for side in track.box]
    drawn = next(islice(open_source(str(FOOTAGE)).pictures(), SHOWN_FRAME, None)) // 2 + 40
    drawable = [item for item in paths.items() if len(item[1]) >= MIN_DETECTIONS]
    ordered = sorted(drawable, key=lambda item: (item[0].partition("-")[0], item[1]))
    for number, (name, path) in enumerate(ordered, 1):
        draw(drawn, number, path, boxes.get(name))
    Path(sys.argv[1]).write_bytes(cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def draw(picture: np.ndarray, number: int, path: list[tuple[int, int]], box: list[int] | None) -> None:
    """Draw one track in its colour."""
    hue = number * 47 % 180
    colour = [int(part) for part in cv2.cvtColor(np.uint8([[[hue, 200, 255]]]), cv2.COLOR_HSV2BGR)[0, 0]]
    cv2.polylines(picture, [np.array(path)], isClosed=False, color=colour, thickness=2, lineType=cv2.LINE_AA)
    cv2.circle(picture, path[0], 4, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, path[0], 4, colour, 1, cv2.LINE_AA)
    place = path[-1]
    if box is not None:
        cv2.rectangle(picture, box[:2], box[2:], colour, 2, cv2.LINE_AA)
        place = (box[0], box[1] - 4)
    x, y = min(place[0], picture.shape[1] - 24), max(place[1], 14)
    for thickness, shade in ((4, (0, 0, 0)), (1, colour)):
        cv2.putText(picture, str(number), (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.55, shade, thickness, cv2.LINE_AA)


if __name__ == "__main__":
    main()
