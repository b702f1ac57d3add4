"""The scene of one camera, pure: detections in; states, events and triggers out.

The times of frames are those of the camera's clock, which may be set at any moment. Therefore durations are measured by
a CameraClock. `now` and `received_at` are monotonic seconds of the gateway.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.observation.scene.clock import CameraClock
from gateway.observation.scene.counting_reasons import (
    MAX_UNCOUNTED_OBJECTS,
    ExplainedObject,
    SceneExplanation,
    UncountedObject,
    explained,
    not_begun,
    not_counting,
)
from gateway.observation.scene.filters import ObjectFilters
from gateway.observation.scene.followed import SceneObject
from gateway.observation.scene.kept import OBJECT_RETURN_S, KeptPlace, KeptScene
from gateway.observation.scene.states import FrameMoment, SceneState, SceneUpdate, state_of
from gateway.observation.scene.triggers import LabelPlace, occupied_places, triggers_between
from gateway.observation.scene.zones import SceneZones
from gateway.observation.tracking.tracker import Tracker
from gateway.observation.tracking.tracks import DEFAULT_HIGH_SCORE
from shared.payloads.observations import EndReason, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gateway.observation.scene.areas import Image
    from gateway.observation.scene.kept import KeptObject
    from gateway.observation.scene.scene_settings import SceneSettings
    from gateway.observation.tracking.tracks import Track
    from shared.payloads.cluster import DetectedObject, FrameDetections
    from shared.payloads.observations import ObjectEvent

_MIN_DETECTIONS = 3
"""Detections after which an object counts, as in Frigate: false detections seldom last that long."""

_SLOW_INTERVAL_S, _MIN_SLOW_DETECTIONS = 1.0, 2
"""If frames are further apart than this interval, fewer detections are enough: a passer-by would be gone before the
third."""

PRESUMED_S = 10.0
"""After an absence, labels that were present before are presumed to be present for this long. The detector needs some
frames to find them again, and these must cause no triggers."""

_SCENE_SETTLE_S = 10.0
"""The state of a scene counts as known after this time, even if very few frames have come."""


@dataclass(frozen=True, slots=True)
class _Absence:
    """A time without frames: the kept scene, its begin in monotonic seconds, and its reason."""

    kept: KeptScene
    since: float
    reason: EndReason


class Scene:
    """The scene of one camera. Each `new` event gets one `end` event, even if the camera or the gateway is away.

    While no frames come, the scene is empty, but no event ends for OBJECT_RETURN_S. When frames come again, an object
    that is still at its place continues without another `new` event, and the events of other objects end.
    """

    def __init__(
        self, camera: str, settings: SceneSettings, kept: KeptScene | None = None, now: float = 0.0, at: float = 0.0
    ) -> None:
        """Start with the scene `kept` by the gateway's last run, if any; `at` is `now` in seconds since 1970."""
        self._camera = camera
        self._settings = settings
        self._tracker = Tracker(settings.tracker)
        self._followed: dict[str, SceneObject] = {}
        self._image: Image = (1, 1)
        self._moment = FrameMoment()
        self._clock = CameraClock()
        self._prepare_filters_and_zones()
        self._state = state_of((), settings, self._moment)
        kept = kept or KeptScene()
        self._absence: _Absence | None = _Absence(kept, now - kept.away_s, EndReason.GATEWAY_AWAY)
        self._presumed: dict[LabelPlace, str] = _known_places(kept, settings)
        self._presumed_until = 0.0
        self._places = dict(self._presumed)
        self._frames = 0
        self._clock_offset_s = at - now
        self._awaited_since = now
        self._resumed_at = 0.0
        self._absence_reason = EndReason.GATEWAY_AWAY
        self._given_up = False
        self._detected: tuple[DetectedObject, ...] = ()
        self._uncounted: deque[UncountedObject] = deque(maxlen=MAX_UNCOUNTED_OBJECTS)

    @property
    def settled(self) -> bool:
        """Return whether the state is known: enough frames have come since the start, or since the camera returned."""
        if self._absence is not None or not self._frames:
            return False
        long_enough = self._clock.at is not None and self._clock.at - self._resumed_at >= _SCENE_SETTLE_S
        return long_enough or self._frames >= self._needed_detections

    @property
    def given_up(self) -> bool:
        """Return whether no frames have come for so long that all kept objects have ended."""
        return self._given_up

    @property
    def away(self) -> bool:
        """Return whether no frames are expected now, or none has come yet."""
        return self._absence is not None

    @property
    def occupied(self) -> bool:
        """Return whether an event is open."""
        kept = self._absence is not None and bool(self._absence.kept.objects)
        return kept or any(followed.counts for followed in self._followed.values())

    def update(
        self, detections: FrameDetections, *, degraded: bool, latency_ms: float, received_at: float | None = None
    ) -> SceneUpdate:
        """Process a frame and return the result; a frame that is out of order changes nothing.

        `degraded`: frames of the camera were lost recently; `received_at`: when the gateway received the frame, in
        monotonic seconds; the default is its publication time.
        """
        frame, captured_at = detections.frame, detections.captured_at
        if self._clock.is_late(frame, detections.number, captured_at):
            return SceneUpdate(self._state)
        received_at = detections.published_at if received_at is None else received_at
        at = self._clock.tick(frame, detections.number, captured_at, received_at, self._tracker.interval_s)
        self._moment = FrameMoment(frame, captured_at, latency_ms, degraded)
        if detections.image != self._image:
            self._image = detections.image
            self._prepare_filters_and_zones()
        given_up: list[ObjectEvent] = []
        if self._absence is not None:
            given_up = self._end_overdue_kept(received_at)
            self._resume(self._absence, at, received_at)
        self._frames += 1
        self._detected = detections.objects
        seen = [found for found in detections.objects if self._filters.admit(found)]
        tracks = self._tracker.update(at, seen, detections.image)
        ended = self._end(tracks.ended, EndReason.GONE)
        return self._result(at, captured_at, (*given_up, *ended, *self._follow_tracks(tracks.live, at)))

    def expire(self, now: float) -> SceneUpdate:
        """End the objects that frames have missed for too long by now. To be called about once a second.

        Objects that the last frame shows stay until a later frame or `clear` ends them, because a camera with a still
        scene sends few frames.
        """
        if self._absence is not None:
            return self._result(0.0, self._camera_time(now), self._end_overdue_kept(now))
        at = (self._clock.at or 0.0) + self._clock.since_received(now)
        if not (self._presumed or self._tracker.is_overdue(at)):
            return SceneUpdate(self._state)
        ended = self._end(self._tracker.expire(at).ended, EndReason.GONE)
        return self._result(at, self._camera_time(now), ended)

    def suspend(self, now: float, reason: EndReason) -> SceneUpdate:
        """Keep the scene, because no frames are expected for a while; return an empty one.

        Its events do not end yet.
        """
        if self._absence is None:
            self._absence = _Absence(self.to_keep(now), now, reason)
            self._presumed, self._awaited_since = dict(self._places), now
            self._forget_tracks()
        return self._result(0.0, self._camera_time(now), ())

    def clear(self, now: float, reason: EndReason = EndReason.GONE) -> SceneUpdate:
        """End all events, because nothing is detected any more; return an empty scene."""
        events: Iterable[ObjectEvent] = ()
        if self._absence is not None:
            events = [_end_of_kept(kept, reason) for kept in self._absence.kept.objects]
            self._absence = None
        events = [*events, *self._end(self._tracker.end_all().ended, reason)]
        self._forget_tracks()
        self._frames, self._presumed = _MIN_DETECTIONS, {}
        return self._result(self._clock.at or 0.0, self._camera_time(now), events)

    def apply_settings(self, settings: SceneSettings, now: float) -> SceneUpdate:
        """Use other settings.

        Objects end if their label is not followed any more, or their score is below the threshold.
        """
        before, self._settings = self._settings, settings
        self._tracker.settings = settings.tracker
        self._prepare_filters_and_zones()
        self._presumed = {place: identity for place, identity in self._presumed.items() if _is_known(place, settings)}
        if self._absence is not None:
            given_up = self._end_kept(lambda kept: not self._counts(kept.event.label, kept.event.top_score))
            labels = {event.label for event in given_up} - {kept.event.label for kept in self._absence.kept.objects}
            self._presumed = {place: identity for place, identity in self._presumed.items() if place[0] not in labels}
            return self._result(0.0, self._camera_time(now), given_up)
        zones = {*before.zones, *settings.zones}
        changed = [name for name in zones if settings.zones.get(name) != before.zones.get(name)]
        changed += before.zones_off ^ settings.zones_off
        for followed in self._followed.values():
            followed.forget_zones(changed)
        refused = frozenset(
            followed.track.id
            for followed in self._followed.values()
            if followed.counts and not self._counts(followed.track.label, followed.track.top_score)
        )
        ended = self._end(self._tracker.end_tracks(refused).ended, EndReason.NOT_FOLLOWED)
        return self._result(self._clock.at or 0.0, self._camera_time(now), ended)

    def to_keep(self, now: float) -> KeptScene:
        """Return the scene in the form in which it is kept, as if no more frames came."""
        occupied = tuple(
            KeptPlace(label=label, zone=zone, id=identity) for (label, zone), identity in self._places.items()
        )
        if self._absence is not None:
            away_s = max(0.0, now - self._absence.since)
            return self._absence.kept.model_copy(update={"away_s": away_s, "places": occupied})
        at = self._clock.at or 0.0
        counting = (followed for followed in self._followed.values() if followed.counts)
        objects = tuple(followed.to_keep(self._camera, self._moment.frame, self._image, at) for followed in counting)
        return KeptScene(objects=objects, places=occupied)

    def state(self) -> SceneState:
        """Return the state after the last frame or change."""
        return self._state

    def _prepare_filters_and_zones(self) -> None:
        self._filters = ObjectFilters(self._settings, self._image)
        self._zones = SceneZones(self._settings, self._image)

    def _forget_tracks(self) -> None:
        self._tracker.end_all()
        self._followed.clear()
        self._frames = 0

    def _resume(self, absence: _Absence, at: float, received_at: float) -> None:
        """Continue with the kept objects after an absence. They are out of sight until a frame shows them."""
        away_s = max(0.0, received_at - absence.since)
        tracks = [kept.track(self._image, at - away_s) for kept in absence.kept.objects]
        self._tracker.resume(tracks, at, away_s)
        for kept, track in zip(absence.kept.objects, tracks, strict=True):
            self._followed[track.id] = SceneObject.from_kept(kept, track, at)
            self._followed[track.id].forget_zones(self._settings.zones_off)
        self._absence, self._absence_reason = None, absence.reason
        self._resumed_at, self._presumed_until = at, at + PRESUMED_S
        self._frames, self._given_up = 0, False

    def _end_overdue_kept(self, now: float) -> list[ObjectEvent]:
        """End the kept objects that did not return in time, or whose label is not followed any more."""
        too_late = self._absence is not None and now - self._absence.since > OBJECT_RETURN_S
        # The time counts since frames are awaited, not since the last frame: after a long stop of the gateway, the
        # first frames may still show the presumed labels.
        if now - self._awaited_since > OBJECT_RETURN_S:
            self._presumed, self._given_up = {}, True
        return self._end_kept(lambda kept: too_late or kept.event.label not in self._settings.followed)

    def _end_kept(self, is_over: Callable[[KeptObject], bool]) -> list[ObjectEvent]:
        """End the kept objects for which `is_over` returns true."""
        absence = self._absence
        assert absence is not None
        ended = [kept for kept in absence.kept.objects if is_over(kept)]
        if ended:
            left = tuple(kept for kept in absence.kept.objects if kept not in ended)
            kept = absence.kept.model_copy(update={"objects": left})
            self._absence = _Absence(kept, absence.since, absence.reason)
        return [_end_of_kept(kept, absence.reason) for kept in ended]

    @property
    def _needed_detections(self) -> int:
        """Return the number of detections after which an object counts."""
        return _MIN_SLOW_DETECTIONS if self._tracker.interval_s > _SLOW_INTERVAL_S else _MIN_DETECTIONS

    def _camera_time(self, now: float) -> float:
        """Return the current time by the camera's clock; before its first frame, by the gateway's."""
        if not self._moment.captured_at:
            return self._clock_offset_s + now
        return self._moment.captured_at + self._clock.since_received(now)

    def _follow_tracks(self, live: Iterable[Track], at: float) -> Iterable[ObjectEvent]:
        """Follow the live tracks after a frame; yield its `new` and `update` events."""
        captured_at = self._moment.captured_at
        slow = self._tracker.interval_s > _SLOW_INTERVAL_S
        for track in live:
            followed = self._followed.get(track.id)
            if followed is None:
                followed = self._followed[track.id] = SceneObject(track, captured_at, captured_at)
            followed.follow_track(track, captured_at)
            if track.visible and self._settings.zones:
                self._zones.see(track, followed.presences, slow=slow)
                followed.follow_zones()
            if followed.counts:
                event = followed.update_event(self._camera, self._moment.frame, self._image, at)
                if event is not None:
                    yield event
            elif (
                track.visible
                and track.hits >= self._needed_detections
                and track.median_score >= self._filters.threshold(track.label)
            ):
                yield followed.begin_event(self._camera, self._moment.frame, self._image, at)

    def _end(self, ended: Iterable[Track], reason: EndReason) -> list[ObjectEvent]:
        """Remove the objects of ended tracks; return the `end` events of those that counted."""
        events = []
        for track in ended:
            followed = self._followed.pop(track.id, None)
            if followed is not None and not followed.counts:
                self._uncounted.append(self._uncounted_object(followed))
            elif followed is not None:
                end_reason = self._absence_reason if followed.resumed and reason is EndReason.GONE else reason
                events.append(followed.end_event(self._camera, self._moment.frame, self._image, end_reason))
        return events

    def explain(self) -> SceneExplanation:
        """Return why each detection of the last frame counts or not, and the last objects that never counted."""
        live = [followed for followed in self._followed.values() if followed.track.visible]
        found = tuple(self._explain(detected, live) for detected in self._detected)
        return SceneExplanation(self._moment.frame, found, tuple(self._uncounted))

    def _explain(self, detected: DetectedObject, live: Sequence[SceneObject]) -> ExplainedObject:
        if refusal := self._filters.refusal(detected):
            return explained(detected, refusal)
        same = [one for one in live if one.track.label == detected.label and one.track.box == detected.box]
        if not same:
            needed = self._settings.tracker.high_scores.get(detected.label, DEFAULT_HIGH_SCORE)
            return explained(detected, not_begun(detected.score, needed))
        track, zones = same[0].track, self._zones.explain(same[0].track, same[0].presences)
        why = "" if same[0].counts else not_counting(track, self._needed_detections, self._threshold(track))
        return explained(detected, why, track.id, zones)

    def _uncounted_object(self, followed: SceneObject) -> UncountedObject:
        track = followed.track
        why = not_counting(track, self._needed_detections, self._threshold(track))
        return UncountedObject(track.id, track.label, followed.started_at, followed.seen_at, why)

    def _threshold(self, track: Track) -> float:
        return self._filters.threshold(track.label)

    def _counts(self, label: str, top_score: float) -> bool:
        """Return whether the top score reaches the threshold of a label; False for a label that is not followed."""
        return top_score >= self._filters.threshold(label)

    def _result(self, at: float, captured_at: float, events: Iterable[ObjectEvent]) -> SceneUpdate:
        """Compute the new state and its triggers; return them with these events. `at` is of the CameraClock."""
        present = [followed.observed(self._image) for followed in self._followed.values() if followed.counts]
        self._state = state_of(present, self._settings, self._moment)
        occupied = occupied_places(self._state)
        if self._absence is None and at >= self._presumed_until:
            self._presumed = {}
        before, self._places = self._places, {**self._presumed, **occupied}
        triggers = triggers_between(before, self._places, self._settings.zones, self._camera, captured_at)
        return SceneUpdate(self._state, tuple(events), triggers)


def _end_of_kept(kept: KeptObject, reason: EndReason) -> ObjectEvent:
    end = {"type": EventType.END, "end_time": max(kept.seen_at, kept.event.start_time), "reason": reason}
    return kept.event.model_copy(update=end)


def _known_places(kept: KeptScene, settings: SceneSettings) -> dict[LabelPlace, str]:
    """Return the places of a kept scene that exist in these settings."""
    found = {(place.label, place.zone): place.id for place in kept.places}
    return {place: identity for place, identity in found.items() if _is_known(place, settings)}


def _is_known(place: LabelPlace, settings: SceneSettings) -> bool:
    label, zone = place
    return label in settings.followed and (zone is None or zone in settings.zones.keys() - settings.zones_off)
