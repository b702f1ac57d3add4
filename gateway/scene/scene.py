"""One camera's scene: detections in, states, events and triggers out.

Times are of the camera's clock. `now` is of the gateway's, and is put into the camera's by the last frame's times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.scene.filters import Filters
from gateway.scene.followed import Followed
from gateway.scene.states import Moment, SceneState, SceneUpdate, same, state_of
from gateway.scene.triggers import Place, places, triggers
from gateway.scene.zones import Zones
from gateway.tracking.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.scene.areas import Image
    from gateway.scene.settings import SceneSettings
    from gateway.tracking.tracks import Track
    from shared.messages import FrameDetections
    from shared.observations import ObjectEvent

__all__ = ["Scene", "SceneState", "SceneUpdate", "same"]

FEWEST_DETECTIONS = 3
"""Before an object counts, as in Frigate: a detector's mistakes seldom last so long."""

SLOW_S, FEWEST_SLOW = 1.0, 2
"""Where frames are further apart, fewer do: whoever walks by is gone before the third."""


class Scene:
    """Of the camera of this name. Every `new` event has one `end`."""

    def __init__(self, camera: str, settings: SceneSettings) -> None:
        self._camera = camera
        self._settings = settings
        self._tracker = Tracker(settings.tracker)
        self._followed: dict[str, Followed] = {}
        self._image: Image = (1, 1)
        self._moment = Moment()
        self._clock_ahead_s = 0.0
        self._prepare()
        self._state = state_of((), settings, self._moment)
        self._places: dict[Place, str] = {}

    def update(self, detections: FrameDetections, *, degraded: bool, latency_ms: float) -> SceneUpdate:
        """What a frame shows; one that comes out of order shows nothing new. The rest is passed on in the state."""
        at = detections.captured_at
        if self._tracker.late(at):
            return SceneUpdate(self._state)
        self._moment = Moment(detections.frame, at, latency_ms, degraded)
        self._clock_ahead_s = detections.published_at - at
        if detections.image != self._image:
            self._image = detections.image
            self._prepare()
        seen = [found for found in detections.objects if self._filters.admit(found)]
        tracks = self._tracker.update(at, seen, detections.image)
        ended = self._end(tracks.ended)
        return self._tell(at, (*ended, *self._see(tracks.live, at)))

    def expire(self, now: float) -> SceneUpdate:
        """No frame has come until now: who was out of sight already may be gone. Call it about once a second.

        What the last frame has shown stays until another, or `clear`, says otherwise: still scenes send few frames.
        """
        at = self._camera_time(now)
        return self._tell(at, self._end(self._tracker.expire(at).ended))

    def clear(self, now: float) -> SceneUpdate:
        """The camera is gone, or nothing is looked for: all ends."""
        return self._tell(self._camera_time(now), self._end(self._tracker.clear().ended))

    def apply(self, settings: SceneSettings, now: float) -> SceneUpdate:
        """Go on with other settings. Labels that are not followed, and objects below a higher threshold, end."""
        before, self._settings = self._settings, settings
        self._tracker.settings = settings.tracker
        self._prepare()
        for one in self._followed.values():
            for name in [name for name in one.presences if settings.zones.get(name) != before.zones.get(name)]:
                del one.presences[name]
        refused = frozenset(one.track.id for one in self._followed.values() if one.counts and not self._reached(one))
        return self._tell(self._camera_time(now), self._end(self._tracker.drop(refused).ended))

    def state(self) -> SceneState:
        """As it was told last."""
        return self._state

    def _prepare(self) -> None:
        self._filters = Filters(self._settings, self._image)
        self._zones = Zones(self._settings, self._image)

    def _camera_time(self, now: float) -> float:
        return max(now - self._clock_ahead_s, self._moment.captured_at)

    def _see(self, live: Iterable[Track], at: float) -> Iterable[ObjectEvent]:
        """What is new or has changed with a frame."""
        slow = self._tracker.interval_s > SLOW_S
        detections = FEWEST_SLOW if slow else FEWEST_DETECTIONS
        for track in live:
            one = self._followed.setdefault(track.id, Followed(track))
            one.track = track
            if track.visible:
                self._zones.see(track, one.presences, slow=slow)
                one.enter()
            if one.counts:
                event = one.update(self._camera, self._moment.frame, self._image, at)
                if event is not None:
                    yield event
            elif (
                track.visible
                and track.hits >= detections
                and track.median_score >= self._filters.threshold(track.label)
            ):
                yield one.begin(self._camera, self._moment.frame, self._image, at)

    def _end(self, ended: Iterable[Track]) -> list[ObjectEvent]:
        events = []
        for track in ended:
            one = self._followed.pop(track.id, None)
            if one is not None and one.counts:
                events.append(one.end(self._camera, self._moment.frame, self._image))
        return events

    def _reached(self, one: Followed) -> bool:
        """Whether its median was ever high enough, which nothing is for a label that is not followed."""
        return one.track.top_score >= self._filters.threshold(one.track.label)

    def _tell(self, at: float, events: Iterable[ObjectEvent]) -> SceneUpdate:
        told = tuple(events)
        there = [one.observation(self._image) for one in self._followed.values() if one.counts]
        self._state = state_of(there, self._settings, self._moment)
        before, self._places = self._places, places(self._state)
        found = triggers(before, self._places, self._settings.zones, self._camera, at)
        return SceneUpdate(self._state, told, found)
