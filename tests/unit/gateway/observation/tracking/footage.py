"""What the built-in model sees in the bundled clip, and the people who walk in it, as they were found by eye."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import dist
from pathlib import Path

from shared.payloads.cluster import DetectedObject

FPS = 10
IMAGE = (768, 576)
BEGIN = 1_700_000_000.0


@cache
def frames():
    """The detections of each of the 300 frames."""
    recorded = json.loads(Path(__file__).with_name("vtest-detections.json").read_text())
    assert (recorded["fps"], recorded["image"]) == (FPS, list(IMAGE))
    width, height = IMAGE
    return [
        tuple(
            DetectedObject(
                label=label,
                score=score / 100,
                box=(left, top, right, bottom),
                box_rel=(left / width, top / height, right / width, bottom / height),
            )
            for label, score, left, top, right, bottom in found
        )
        for found in recorded["frames"]
    ]


@dataclass(frozen=True)
class Walker:
    """Someone who walks freely: the middle of the box, by frame, while nobody hides or passes him."""

    places: dict[int, tuple[int, int]]

    def place(self, frame):
        """Where the walker is; None when hidden or away."""
        for (before, here), (after, there) in pairwise(self.places.items()):
            if before <= frame <= after:
                part = (frame - before) / (after - before)
                return tuple(a + part * (b - a) for a, b in zip(here, there, strict=True))
        return None

    def ids(self, steps):
        """Ids of the tracks that are there, by frame; `steps` are tracks by frame."""
        found = {}
        for frame, tracks in steps.items():
            place = self.place(frame)
            near = [] if place is None else [(dist(middle(track.box), place), track.id) for track in tracks]
            if near and min(near)[0] < 20:
                found[frame] = min(near)[1]
        return found


def middle(box):
    left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2


WALKERS = {
    "up the road": Walker({
        0: (691, 312), 10: (633, 287), 20: (604, 259), 30: (584, 236), 40: (584, 214), 50: (604, 196), 60: (632, 178),
        70: (663, 168), 80: (694, 156), 90: (715, 146),
    }),
    "far off on the lawn": Walker({
        50: (230, 79), 60: (202, 84), 70: (174, 88), 80: (142, 94), 90: (112, 101), 100: (78, 110), 110: (43, 121),
    }),
    "light jacket": Walker({68: (728, 264), 76: (652, 252)}),
    "dark coat": Walker({62: (454, 246), 74: (564, 258)}),
    "across the front": Walker({
        180: (746, 344), 190: (684, 323), 200: (620, 304), 210: (549, 294), 220: (480, 284), 230: (422, 282),
        240: (370, 264), 250: (330, 253),
    }),
    "there and back": Walker({
        126: (488, 258), 136: (552, 280), 146: (612, 306), 156: (668, 341), 166: (642, 357), 176: (554, 339),
        186: (481, 312), 196: (422, 288), 206: (373, 266), 216: (310, 246), 226: (282, 228), 236: (273, 212),
    }),
    "away to the left": Walker({
        126: (409, 255), 136: (326, 250), 146: (258, 234), 156: (198, 222), 166: (135, 220), 176: (76, 217),
        186: (51, 208), 196: (52, 208), 206: (51, 208), 216: (50, 208), 226: (32, 207), 236: (8, 209),
    }),
    "in from the right": Walker({171: (752, 280), 181: (683, 255), 191: (617, 238), 201: (556, 226), 211: (493, 214)}),
    "out to the right": Walker({126: (575, 257), 136: (652, 270), 146: (706, 290), 156: (752, 318)}),
}  # fmt: skip
