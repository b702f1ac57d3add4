"""The tracker of one camera: turns the detections of each frame into tracks."""

from __future__ import annotations

import secrets
import string
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from gateway.observation.tracking.association import ExpectedObject, SeenObject, associate
from gateway.observation.tracking.intervals import Intervals
from gateway.observation.tracking.motion_model import Motion
from gateway.observation.tracking.rest import Rest
from gateway.observation.tracking.tracks import DEFAULT_HIGH_SCORE, Track, TrackerSettings, Tracks
from shared.payloads.fields import PictureBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.payloads.cluster import DetectedObject
    from shared.payloads.fields import RelativeBox

MAX_TRACKS = 100
"""Objects that are followed at once. In a denser crowd people cannot be distinguished by their boxes, and associating
more takes over a tenth of a second in the worst case."""

_MAX_SCORES, _MIN_SCORES = 10, 3
"""The median score is that of the last 10 detections; zeros are added if there are fewer than three, as in Frigate."""

_NO_SCORES = (0.0,) * _MIN_SCORES

_TENTATIVE_TIMEOUT_S = 1.0
"""Longest absence of an object with fewer than three detections, so that false detections do not accumulate."""

_MIN_MISSED_FRAMES, _MIN_MISSED_FRAMES_AT_REST = 2, 5
"""Frames in a row that must miss an object before it ends, however long that takes, because one frame proves nothing.
More for an object at rest: a parked car rarely leaves without frames that show it moving, and a detector may miss it in
every fifth of the few frames of a still scene."""

_ROUNDING_S = 1e-3
"""Tolerance for comparing times, which are exact to less than a microsecond as floats of seconds since 1970."""

_ID_CHARACTERS = string.ascii_lowercase + string.digits


@dataclass(slots=True, eq=False)
class _Followed:
    """A live track. Fields as in Track, if they are not described."""

    id: str
    label: str
    motion: Motion
    rest: Rest
    box: PictureBox
    score: float
    first_seen: float
    last_seen: float
    scores: deque[float]
    hits: int = 1
    top_score: float = 0.0
    visible: bool = True
    missed: int = 0
    """Frames in a row that have missed it."""
    missed_since: float = 0.0
    """Time of the first of these frames."""
    box_rel: RelativeBox | None = None
    median_score: float = field(init=False)

    def __post_init__(self) -> None:
        self._update_scores()

    def miss(self, at: float) -> None:
        """Process a frame that does not show the object."""
        if not self.missed:
            self.missed_since = at
        self.missed += 1
        self.visible = False

    def see(self, found: DetectedObject, at: float, predicted: Motion) -> None:
        """Process a frame that shows the object; `predicted` is its motion, predicted for the time of the frame."""
        self.motion = self.motion.with_measured(found.box, at - self.last_seen, predicted)
        self.rest.see(found.box, at)
        self.box, self.box_rel, self.score = found.box, found.box_rel, found.score
        self.last_seen, self.visible, self.missed = at, True, 0
        self.scores.append(found.score)
        self.hits += 1
        self._update_scores()

    def _update_scores(self) -> None:
        self.median_score = median([*self.scores, *_NO_SCORES[len(self.scores) :]])
        self.top_score = max(self.top_score, self.median_score)

    def scale(self, along_x: float, along_y: float) -> None:
        """Scale the object to a picture that is larger by these factors along x and y."""
        left, top, right, bottom = self.box
        self.box, self.box_rel = PictureBox((left * along_x, top * along_y, right * along_x, bottom * along_y)), None
        self.motion = self.motion.scaled(along_x, along_y)
        self.rest = self.rest.scaled(along_x, along_y)

    def at_rest(self, stationary_after_s: float) -> bool:
        """Return whether the object had been at rest for this long at its last detection."""
        return self.last_seen - self.rest.since >= stationary_after_s

    def track(self, stationary_after_s: float) -> Track:
        """Return the public form of the track."""
        rested_s = self.last_seen - self.rest.since
        return Track(
            self.id, self.label, self.score, self.top_score, self.median_score, self.box, self.hits,
            self.first_seen, self.last_seen, self.visible,
            rested_s >= stationary_after_s, max(0.0, rested_s), self.box_rel,
        )  # fmt: skip


class Tracker:
    """Follows the objects of one camera. Its `settings` may be changed at any time.

    Times are seconds of a clock that is never set: see gateway.observation.scene.clock.
    """

    def __init__(self, settings: TrackerSettings) -> None:
        self.settings = settings
        self._followed: list[_Followed] = []
        self._last: float | None = None
        self._image: tuple[int, int] | None = None
        self._intervals = Intervals()

    @property
    def interval_s(self) -> float:
        """Return the usual time between frames in seconds; 0 before the second frame."""
        return self._intervals.usual_s

    def is_late(self, at: float) -> bool:
        """Return whether a frame of this time is out of order."""
        return self._last is not None and at <= self._last

    def update(self, at: float, objects: Sequence[DetectedObject], image: tuple[int, int]) -> Tracks:
        """Process the detections of a frame of size `image` (width, height), captured at `at`; ignore a late one."""
        if self.is_late(at):
            return self._tracks()
        self._last = at
        self._intervals.frame(at)
        self._fit_to_image(image)
        new: list[DetectedObject] = []
        for label in sorted({found.label for found in objects} | {f.label for f in self._followed}):
            new += self._associate(at, label, [found for found in objects if found.label == label])
        ended = self._end(self._overdue(at))
        self._begin(at, new)
        return self._tracks(ended)

    def is_overdue(self, at: float) -> bool:
        """Return whether `expire` would end any object."""
        return bool(self._overdue(at))

    def expire(self, at: float) -> Tracks:
        """End the objects that enough frames have missed, for too long at the time `at`, without a new frame.

        Objects in the last frame, and objects that too few frames have missed, stay.
        """
        return self._tracks(self._end(self._overdue(at)))

    def resume(self, kept: Sequence[Track], at: float, away_s: float) -> None:
        """Follow kept objects again, beginning with the frame at `at`; they were last detected `away_s` earlier.

        They are out of sight until a frame shows them, and end like others if frames miss them.
        """
        for track in kept[:MAX_TRACKS]:
            followed = _Followed(
                track.id, track.label, Motion.from_box(track.box), Rest(track.box, at - away_s - track.rested_s),
                track.box, track.score, track.first_seen, at - away_s,
                deque([track.median_score] * _MIN_SCORES, _MAX_SCORES), hits=max(track.hits, _MIN_SCORES),
                top_score=track.top_score, visible=False,
            )  # fmt: skip
            self._followed.append(followed)

    def end_tracks(self, ids: frozenset[str]) -> Tracks:
        """End the objects with these ids; later detections of them begin new objects."""
        return self._tracks(self._end([followed for followed in self._followed if followed.id in ids]))

    def end_all(self) -> Tracks:
        """End all objects."""
        return self._tracks(self._end(self._followed))

    def _associate(self, at: float, label: str, seen: list[DetectedObject]) -> list[DetectedObject]:
        """Update the objects of a label with its detections. Return the detections that may begin a track."""
        high = self.settings.high_scores.get(label, DEFAULT_HIGH_SCORE)
        tracks = [track for track in self._followed if track.label == label]
        expected = [
            ExpectedObject(track.motion.after(at - track.last_seen), missed=not track.visible) for track in tracks
        ]
        pairs = associate(expected, [SeenObject(found.box, found.score >= high) for found in seen])
        for index, track in enumerate(tracks):
            if index in pairs:
                track.see(seen[pairs[index]], at, expected[index].motion)
            else:
                track.miss(at)
        taken = set(pairs.values())
        return [found for index, found in enumerate(seen) if index not in taken and found.score >= high]

    def _begin(self, at: float, new: list[DetectedObject]) -> None:
        best = sorted(new, key=lambda found: -found.score)
        for found in best[: MAX_TRACKS - len(self._followed)]:
            name = f"{at:.3f}-" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(6))
            scores = deque([found.score], _MAX_SCORES)
            motion, rest = Motion.from_box(found.box), Rest(found.box, at)
            self._followed.append(
                _Followed(
                    name, found.label, motion, rest, found.box, found.score, at, at, scores, box_rel=found.box_rel
                )
            )

    def _overdue(self, at: float) -> list[_Followed]:
        """Return the objects that enough frames have missed for long enough."""
        return [followed for followed in self._followed if followed.missed and self._is_overdue(followed, at)]

    def _is_overdue(self, followed: _Followed, at: float) -> bool:
        timeout_s = self.settings.max_disappeared_s
        if followed.hits < _MIN_SCORES:
            timeout_s = min(timeout_s, _TENTATIVE_TIMEOUT_S)
        at_rest = followed.at_rest(self.settings.stationary_after_s)
        needed = _MIN_MISSED_FRAMES_AT_REST if at_rest else _MIN_MISSED_FRAMES
        return followed.missed >= needed and at - followed.missed_since >= timeout_s - _ROUNDING_S

    def _end(self, ended: list[_Followed]) -> tuple[Track, ...]:
        if ended:
            self._followed = [followed for followed in self._followed if followed not in ended]
        return tuple([followed.track(self.settings.stationary_after_s) for followed in ended])

    def _tracks(self, ended: tuple[Track, ...] = ()) -> Tracks:
        return Tracks(tuple([followed.track(self.settings.stationary_after_s) for followed in self._followed]), ended)

    def _fit_to_image(self, image: tuple[int, int]) -> None:
        """Scale all boxes if the camera has changed the size of its pictures."""
        if self._image is not None and self._image != image:
            along_x, along_y = image[0] / self._image[0], image[1] / self._image[1]
            for followed in self._followed:
                followed.scale(along_x, along_y)
        self._image = image
