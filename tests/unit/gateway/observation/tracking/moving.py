"""Objects that move through a picture, for the tests of tracking."""

from __future__ import annotations

from shared.payloads.cluster import DetectedObject

IMAGE = (1920, 1080)


def detected(box, score=0.8, label="person"):
    """A detection; boxes in pixels of IMAGE."""
    left, top, right, bottom = (float(side) for side in box)
    width, height = IMAGE
    return DetectedObject(
        label=label,
        score=score,
        box=(left, top, right, bottom),
        box_rel=(left / width, top / height, right / width, bottom / height),
    )


def standing(x, y=600.0, height=200.0, width=None):
    """The box of someone whose feet are at x, y."""
    width = 0.4 * height if width is None else width
    return x - width / 2, y - height, x + width / 2, y


def person(x, y=600.0, *, height=200.0, score=0.8, label="person"):
    """Someone whose feet are at x, y."""
    return detected(standing(x, y, height), score, label)


def visible(tracks):
    """Those that the last frame showed, from the left."""
    return sorted((track for track in tracks.live if track.visible), key=lambda track: track.box[0])
