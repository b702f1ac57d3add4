"""Record what the built-in model finds in the bundled clip, for the tests of tracking.

    .venv/bin/python scripts/record_detections.py tests/unit/gateway/observation/tracking/vtest-detections.json

Boxes are in whole pixels of the picture, scores in hundredths: a tracker needs no more, and the file stays small.
"""

import json
import sys
from pathlib import Path

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from gateway.planning.partitioned import PartitionedModel, TiledHead
from shared.ftp.grid import Grid
from shared.model.letterbox import Letterbox

THREADS = 1


def main() -> None:
    """Write the file that the command line names."""
    path = Path(sys.argv[1])
    source = open_source(str(FOOTAGE))
    partitioned = PartitionedModel.of(open_model(DEFAULT_MODEL), Grid(1, 1))
    head = TiledHead(partitioned, THREADS)
    detector = partitioned.detector(THREADS)
    preparation = partitioned.spec.preprocessing
    frames = []
    for picture in source.pictures():
        height, width = picture.shape[:2]
        letterbox = Letterbox.for_picture(picture.shape, partitioned.model.network.input_size, preparation)
        objects = detector.detect(head.run(letterbox.apply(picture, preparation)), letterbox).objects
        frames.append(
            [[found.label, round(100 * found.score), *(round(side) for side in found.box)] for found in objects]
        )
    lines = ",\n".join(json.dumps(frame, separators=(",", ":")) for frame in frames)
    heading = {"clip": FOOTAGE.name, "model": DEFAULT_MODEL, "fps": source.fps, "image": [width, height]}
    path.write_text(f'{json.dumps(heading)[:-1]}, "frames": [\n{lines}\n]}}\n')
    print(f"{path}: {len(frames)} frames, {sum(map(len, frames))} objects")


if __name__ == "__main__":
    main()
