"""One camera's scene: detections in, states, events and triggers out.

Frames' own times are of the camera's clock, which may be set; what is measured in seconds is so by a CameraClock. `now`
and `heard_at` are seconds of a clock of the gateway's that is not set; without `heard_at`, that of publication counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.observation.scene.clock import CameraClock
from gateway.observation.scene.filters import ObjectFilters
from gateway.observation.scene.followed import SceneObject
from gateway.observation.scene.kept import OBJECT_RETURN_S, KeptPlace, KeptScene
from gateway.observation.scene.states import FrameMoment, SceneState, SceneUpdate, state_of
from gateway.observation.scene.triggers import LabelPlace, occupied_places, triggers_between
from gateway.observation.scene.zones import SceneZones
from gateway.observation.tracking.tracker import Tracker
from shared.payloads.observations import EndReason, EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.observation.scene.areas import Image
    from gateway.observation.scene.kept import KeptObject
    from gateway.observation.scene.scene_settings import SceneSettings
    from gateway.observation.tracking.tracks import Track
    from shared.payloads.cluster import FrameDetections
    from shared.payloads.observations import ObjectEvent

_MIN_DETECTIONS = 3
"""Before an object counts, as in Frigate: a detector's mistakes seldom last so long."""

_SLOW_INTERVAL_S, _MIN_SLOW_DETECTIONS = 1.0, 2
"""Where frames are further apart, fewer do: whoever walks by is gone before the third."""

PRESUMED_S = 10.0
"""After an absence, a label that was there before counts as there for so long, as far as triggers go: nobody has
appeared, or left, because a detector needs some frames."""

_SCENE_SETTLE_S = 10.0
"""A scene of which so few frames come is known after so long."""


@dataclass(frozen=True, slots=True)
class _Absence:
    """No frames come: what is kept meanwhile, since when (by the gateway's clock), and why."""

    kept: KeptScene
    since: float
    reason: EndReason


class Scene:
    """The scene of one camera. Every `new` event gets one `end`, even if the camera or the gateway is away meanwhile.

    While no frames come, the scene is empty, and no event ends for OBJECT_RETURN_S. When frames come again, an object
    at its old place continues without another `new` event; the other events end.
    """

    def __init__(
        self, camera: str, settings: SceneSettings, kept: KeptScene | None = None, now: float = 0.0, at: float = 0.0
    ) -> None:
        """Begin with what was kept of it when the gateway stopped, if anything; `at` is now in seconds since 1970."""
        self._camera = camera
        self._settings = settings
        self._tracker = Tracker(settings.tracker)
        self._followed: dict[str, SceneObject] = {}
        self._image: Image = (1, 1)
        self._moment = FrameMoment()
        self._clock = CameraClock()
        self._prepare()
        self._state = state_of((), settings, self._moment)
        kept = kept or KeptScene()
        self._absence: _Absence | None = _Absence(kept, now - kept.away_s, EndReason.GATEWAY_AWAY)
        self._presumed: dict[LabelPlace, str] = _known(kept, settings)
        self._presumed_until = 0.0
        self._places = dict(self._presumed)
        self._frames = 0
        self._begun_at = at - now
        self._awaited_since = now
        self._resumed_at = 0.0
        self._absence_reason = EndReason.GATEWAY_AWAY
        self._given_up = False

    @property
    def settled(self) -> bool:
        """Return whether its state is known: enough frames came since it began, or since its camera was back."""
        if self._absence is not None or not self._frames:
            return False
        long = self._clock.at is not None and self._clock.at - self._resumed_at >= _SCENE_SETTLE_S
        return long or self._frames >= self._fewest_detections

    @property
    def given_up(self) -> bool:
        """Return whether frames have been awaited for so long that all that was kept has ended."""
        return self._given_up

    @property
    def away(self) -> bool:
        """Return whether no frames are to be expected now, or none has come yet."""
        return self._absence is not None

    @property
    def occupied(self) -> bool:
        """Return whether an event is open."""
        kept = self._absence is not None and bool(self._absence.kept.objects)
        return kept or any(one.counts for one in self._followed.values())

    def update(
        self, detections: FrameDetections, *, degraded: bool, latency_ms: float, heard_at: float | None = None
    ) -> SceneUpdate:
        """Return what a frame shows; one that comes out of order shows nothing new."""
        frame, captured_at = detections.frame, detections.captured_at
        if self._clock.is_late(frame, detections.number, captured_at):
            return SceneUpdate(self._state)
        heard_at = detections.published_at if heard_at is None else heard_at
        at = self._clock.tick(frame, detections.number, captured_at, heard_at, self._tracker.interval_s)
        self._moment = FrameMoment(frame, captured_at, latency_ms, degraded)
        if detections.image != self._image:
            self._image = detections.image
            self._prepare()
        over: list[ObjectEvent] = []
        if self._absence is not None:
            over = self._give_up_overdue(heard_at)
            self._resume(self._absence, at, heard_at)
        self._frames += 1
        seen = [found for found in detections.objects if self._filters.admit(found)]
        tracks = self._tracker.update(at, seen, detections.image)
        ended = self._end(tracks.ended, EndReason.GONE)
        return self._tell(at, captured_at, (*over, *ended, *self._see(tracks.live, at)))

    def expire(self, now: float) -> SceneUpdate:
        """Return what ends as no frame has come until now: who was out of sight already. Call it about once a second.

        What the last frame has shown stays until another, or `clear`, says otherwise: still scenes send few frames.
        """
        if self._absence is not None:
            return self._tell(0.0, self._camera_time(now), self._give_up_overdue(now))
        at = (self._clock.at or 0.0) + self._clock.since_heard(now)
        ended = self._end(self._tracker.expire(at).ended, EndReason.GONE)
        return self._tell(at, self._camera_time(now), ended)

    def suspend(self, now: float, reason: EndReason) -> SceneUpdate:
        """Return an empty scene, as no frames are to be expected: nothing is there, and no event has ended yet."""
        if self._absence is None:
            self._absence = _Absence(self.to_keep(now), now, reason)
            self._presumed, self._awaited_since = dict(self._places), now
            self._forget_tracks()
        return self._tell(0.0, self._camera_time(now), ())

    def clear(self, now: float, reason: EndReason = EndReason.GONE) -> SceneUpdate:
        """Return an empty scene that is known to be so, as nothing is looked for any more: all ends."""
        events: Iterable[ObjectEvent] = ()
        if self._absence is not None:
            events = [_ended(kept, reason) for kept in self._absence.kept.objects]
            self._absence = None
        events = [*events, *self._end(self._tracker.end_all().ended, reason)]
        self._forget_tracks()
        self._frames, self._presumed = _MIN_DETECTIONS, {}
        return self._tell(self._clock.at or 0.0, self._camera_time(now), events)

    def apply_settings(self, settings: SceneSettings, now: float) -> SceneUpdate:
        """Go on with other settings. Labels that are not followed, and objects below a higher threshold, end."""
        before, self._settings = self._settings, settings
        self._tracker.settings = settings.tracker
        self._prepare()
        self._presumed = {place: one for place, one in self._presumed.items() if _is_known(place, settings)}
        if self._absence is not None:
            given_up = self._give_up(lambda kept: not self._counts(kept.event.label, kept.event.top_score))
            labels = {event.label for event in given_up} - {kept.event.label for kept in self._absence.kept.objects}
            self._presumed = {place: one for place, one in self._presumed.items() if place[0] not in labels}
            return self._tell(0.0, self._camera_time(now), given_up)
        for one in self._followed.values():
            for name in [name for name in one.presences if settings.zones.get(name) != before.zones.get(name)]:
                del one.presences[name]
        refused = frozenset(
            one.track.id
            for one in self._followed.values()
            if one.counts and not self._counts(one.track.label, one.track.top_score)
        )
        ended = self._end(self._tracker.end_tracks(refused).ended, EndReason.NOT_FOLLOWED)
        return self._tell(self._clock.at or 0.0, self._camera_time(now), ended)

    def to_keep(self, now: float) -> KeptScene:
        """Return what is to be kept of it, should the gateway stop now."""
        occupied = tuple(KeptPlace(label=label, zone=zone, id=one) for (label, zone), one in self._places.items())
        if self._absence is not None:
            away_s = max(0.0, now - self._absence.since)
            return self._absence.kept.model_copy(update={"away_s": away_s, "places": occupied})
        at = self._clock.at or 0.0
        counting = (one for one in self._followed.values() if one.counts)
        objects = tuple(one.to_keep(self._camera, self._moment.frame, self._image, at) for one in counting)
        return KeptScene(objects=objects, places=occupied)

    def state(self) -> SceneState:
        """Return it as it was told last."""
        return self._state

    def _prepare(self) -> None:
        self._filters = ObjectFilters(self._settings, self._image)
        self._zones = SceneZones(self._settings, self._image)

    def _forget_tracks(self) -> None:
        self._tracker.end_all()
        self._followed.clear()
        self._frames = 0

    def _resume(self, absence: _Absence, at: float, heard_at: float) -> None:
        """Go on with what was kept: out of sight until a frame shows it, and presumed to be there."""
        away_s = max(0.0, heard_at - absence.since)
        tracks = [kept.track(self._image, at - away_s) for kept in absence.kept.objects]
        self._tracker.resume(tracks, at, away_s)
        for kept, track in zip(absence.kept.objects, tracks, strict=True):
            self._followed[track.id] = SceneObject.from_kept(kept, track, at)
        self._absence, self._absence_reason = None, absence.reason
        self._resumed_at, self._presumed_until = at, at + PRESUMED_S
        self._frames, self._given_up = 0, False

    def _give_up_overdue(self, now: float) -> list[ObjectEvent]:
        """End what was kept and did not come again in time, or is of a label that is not followed any more."""
        over = self._absence is not None and now - self._absence.since > OBJECT_RETURN_S
        if (
            now - self._awaited_since > OBJECT_RETURN_S
        ):  # a gateway that was away for long must look before it says who left
            self._presumed, self._given_up = {}, True
        return self._give_up(lambda kept: over or kept.event.label not in self._settings.followed)

    def _give_up(self, over: Callable[[KeptObject], bool]) -> list[ObjectEvent]:
        """End those kept objects that are not waited for any longer."""
        absence = self._absence
        assert absence is not None
        ended = [kept for kept in absence.kept.objects if over(kept)]
        if ended:
            left = tuple(kept for kept in absence.kept.objects if kept not in ended)
            kept = absence.kept.model_copy(update={"objects": left})
            self._absence = _Absence(kept, absence.since, absence.reason)
        return [_ended(kept, absence.reason) for kept in ended]

    @property
    def _fewest_detections(self) -> int:
        return _MIN_SLOW_DETECTIONS if self._tracker.interval_s > _SLOW_INTERVAL_S else _MIN_DETECTIONS

    def _camera_time(self, now: float) -> float:
        """Return now by the camera's clock; before it was heard of, by the gateway's."""
        if not self._moment.captured_at:
            return self._begun_at + now
        return self._moment.captured_at + self._clock.since_heard(now)

    def _see(self, live: Iterable[Track], at: float) -> Iterable[ObjectEvent]:
        """Yield what is new or has changed with a frame."""
        captured_at = self._moment.captured_at
        slow = self._tracker.interval_s > _SLOW_INTERVAL_S
        for track in live:
            one = self._followed.setdefault(track.id, SceneObject(track, captured_at, captured_at))
            one.follow_track(track, captured_at)
            if track.visible:
                self._zones.see(track, one.presences, slow=slow)
                one.remember_zones()
            if one.counts:
                event = one.update_event(self._camera, self._moment.frame, self._image, at)
                if event is not None:
                    yield event
            elif (
                track.visible
                and track.hits >= self._fewest_detections
                and track.median_score >= self._filters.threshold(track.label)
            ):
                yield one.begin_event(self._camera, self._moment.frame, self._image, at)

    def _end(self, ended: Iterable[Track], reason: EndReason) -> list[ObjectEvent]:
        events = []
        for track in ended:
            one = self._followed.pop(track.id, None)
            if one is not None and one.counts:
                why = self._absence_reason if one.resumed and reason is EndReason.GONE else reason
                events.append(one.end_event(self._camera, self._moment.frame, self._image, why))
        return events

    def _counts(self, label: str, top_score: float) -> bool:
        """Return whether a median was ever high enough, which nothing is for a label that is not followed."""
        return top_score >= self._filters.threshold(label)

    def _tell(self, at: float, captured_at: float, events: Iterable[ObjectEvent]) -> SceneUpdate:
        told = tuple(events)
        there = [one.observed(self._image) for one in self._followed.values() if one.counts]
        self._state = state_of(there, self._settings, self._moment)
        now = occupied_places(self._state)
        if self._absence is None and at >= self._presumed_until:
            self._presumed = {}
        before, self._places = self._places, {**self._presumed, **now}
        found = triggers_between(before, self._places, self._settings.zones, self._camera, captured_at)
        return SceneUpdate(self._state, told, found)


def _ended(kept: KeptObject, reason: EndReason) -> ObjectEvent:
    end = {"type": EventType.END, "end_time": max(kept.seen_at, kept.event.start_time), "reason": reason}
    return kept.event.model_copy(update=end)


def _known(kept: KeptScene, settings: SceneSettings) -> dict[LabelPlace, str]:
    """Return the places of a kept scene that there are by these settings."""
    found = {(place.label, place.zone): place.id for place in kept.places}
    return {place: one for place, one in found.items() if _is_known(place, settings)}


def _is_known(place: LabelPlace, settings: SceneSettings) -> bool:
    label, zone = place
    return label in settings.followed and (zone is None or zone in settings.zones)
