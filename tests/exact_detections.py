"""What the whole network sees in the clip, in this process: all that a cluster publishes must equal it."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from gateway.planning.partitioned import PartitionedModel, WholeHead
from shared.ftp.grid import Grid
from shared.model.letterbox import Letterbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.payloads.cluster import DetectedObject
    from tests.harness import Witness

Objects = tuple["DetectedObject", ...]


@cache
def whole_network() -> Callable[[int], Objects]:
    """Return what says the objects in the clip's picture of a number."""
    partitioned = PartitionedModel.of(open_model(DEFAULT_MODEL, None), Grid(1, 1), None)
    head, detector = WholeHead(partitioned, 1), partitioned.detector(1)
    pictures = list(open_source(str(FOOTAGE)).pictures())

    @cache
    def objects(number: int) -> Objects:
        picture = pictures[number % len(pictures)]
        letterbox = Letterbox.for_picture(
            picture.shape, partitioned.model.network.input_size, partitioned.spec.preprocessing
        )
        return detector.detect(head.run(letterbox.apply(picture, partitioned.spec.preprocessing)), letterbox).objects

    return objects


async def check_frames(witness: Witness, *cameras: str) -> None:
    """Wait until these cameras have ended; check that their published frames are exact, and each published once."""
    for camera in cameras:
        await witness.until(f"the end of {camera}", partial(witness.ended, camera))
        counts = witness.stats[camera].counts
        numbers = [frame.number for frame in witness.detections if frame.camera == camera]
        assert counts.under_way == 0
        assert len(numbers) == len(set(numbers)) == counts.published, (numbers, counts)
    check_objects(witness)


def check_objects(witness: Witness) -> None:
    """Check that all published objects are exactly those of the whole network."""
    expected = whole_network()
    assert witness.detections
    for frame in witness.detections:
        assert frame.objects == expected(frame.number), frame.frame
        assert frame.objects


def check_close_objects(witness: Witness) -> None:
    """Check that all published objects are those of the whole network, to a pixel and 0.01 of their score.

    An object whose score is that close to the threshold may be missing.
    """
    expected, floor = whole_network(), open_model(DEFAULT_MODEL, None).spec.score_threshold + 0.01
    assert witness.detections
    for frame in witness.detections:
        pairs = ((frame.objects, expected(frame.number)), (expected(frame.number), frame.objects))
        for some, others in pairs:
            sure = [found for found in some if found.score >= floor]
            assert sure
            assert all(any(_close(found, other) for other in others) for found in sure), frame.frame


def _close(one: DetectedObject, other: DetectedObject) -> bool:
    near = all(abs(a - b) <= 1 for a, b in zip(one.box, other.box, strict=True))
    return near and one.label == other.label and abs(one.score - other.score) <= 0.01
