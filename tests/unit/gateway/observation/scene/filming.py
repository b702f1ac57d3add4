"""A camera that films what a test puts before it."""

from __future__ import annotations

from gateway.configuration.cameras import DetectSection
from gateway.configuration.objects import FilterSection, ObjectsSection, ZoneSection
from gateway.observation.scene.kept import KeptScene
from gateway.observation.scene.scene import Scene
from gateway.observation.scene.scene_settings import SceneSettings
from shared.payloads.cluster import DetectedObject, FrameDetections, Latency
from shared.payloads.observations import EndReason

IMAGE = (1000, 500)
BEGIN = 1_700_000_000.0
CLOCK_AHEAD_S = 3600.25
"""How far the gateway's clock is ahead of the camera's, and how long a frame takes."""

NO_LATENCY = Latency(total=0, transfer=0, prepare=0, tiles=0, tail=0, decode=0)


def person(x, y=400.0, *, height=100.0, width=40.0, score=0.8, label="person", image=IMAGE):
    """Someone whose feet are at x, y."""
    box = (x - width / 2, y - height, x + width / 2, y)
    sides = (image[0], image[1], image[0], image[1])
    relative = tuple(side / size for side, size in zip(box, sides, strict=True))
    return DetectedObject(label=label, score=score, box=box, box_rel=relative)


def settings(
    *, track=("person", "car"), filters=None, mask=(), zones=None, threshold=None, labels=None, off=(), **detect
):
    """As a configuration file would say it; zones are settings by name, of which some are `off`."""
    return SceneSettings(
        ObjectsSection(
            track=track, filters={label: FilterSection(**value) for label, value in (filters or {}).items()}, mask=mask
        ),
        {name: ZoneSection(**value) for name, value in (zones or {}).items()},
        DetectSection(**detect),
        threshold=threshold,
        labels=labels,
        zones_off=frozenset(off),
    )


class Camera:
    """One camera called gate, and its scene. `seconds` are since it began."""

    def __init__(self, fps=10.0, **said):
        self.scene = Scene("gate", settings(**said))
        self.fps = fps
        self.frame = -1
        self.events = []
        self.triggers = []
        self.set_by_s = 0.0
        """How far the camera's clock was set forward since it began."""
        self.steady = False
        """Whether the gateway says when it heard of frames, by a clock that is not set."""
        self.passed_s = 0.0
        """How long there were no frames at all."""

    def film(self, *objects, frames=1, degraded=False, image=IMAGE):
        """Some frames that all show these."""
        for _ in range(frames):
            self.frame += 1
            update = self.scene.update(
                self._detections(self.seconds, objects, image), degraded=degraded, latency_ms=50,
                received_at=self.now() if self.steady else None,
            )  # fmt: skip
            self._note(update)
        return update.state

    def film_late(self, seconds, *objects):
        """A frame that comes out of order."""
        update = self.scene.update(self._detections(seconds, objects, IMAGE), degraded=False, latency_ms=50)
        self._note(update)
        return update

    @property
    def seconds(self):
        return self.frame / self.fps + self.passed_s

    def now(self, after=0.0):
        """The gateway's clock, so long after the last frame."""
        return BEGIN + self.seconds + after + CLOCK_AHEAD_S

    def wait(self, seconds):
        """No frame comes for so long."""
        return self._note(self.scene.expire(self.now(seconds)))

    def apply(self, **said):
        return self._note(self.scene.apply_settings(settings(**said), self.now()))

    def clear(self, reason=EndReason.GONE):
        return self._note(self.scene.clear(self.now(), reason))

    def suspend(self, away_s=0.0):
        """The camera is lost for so long."""
        state = self._note(self.scene.suspend(self.now(), EndReason.CAMERA_LOST))
        self.passed_s += away_s
        return state

    def restart(self, away_s=1.0, **said):
        """The gateway stops, or is killed, and is back after so long; the file is as is said."""
        kept = KeptScene.model_validate_json(self.scene.to_keep(self.now()).model_dump_json())
        self.passed_s += away_s
        kept = kept.model_copy(update={"away_s": kept.away_s + away_s})
        self.scene = Scene("gate", settings(**said), kept, self.now(), self.now() - CLOCK_AHEAD_S)

    def kinds(self):
        """The types of the events so far."""
        return [str(event.type) for event in self.events]

    def words(self):
        """The names of the triggers so far."""
        return [trigger.name for trigger in self.triggers]

    def _note(self, update):
        self.events += update.events
        self.triggers += update.triggers
        return update.state

    def _detections(self, seconds, objects, image):
        return FrameDetections(
            camera="gate",
            frame=f"gate-{self.frame}",
            number=max(0, self.frame),
            captured_at=BEGIN + seconds + self.set_by_s,
            published_at=BEGIN + seconds + self.set_by_s + CLOCK_AHEAD_S,
            latency_ms=NO_LATENCY,
            model="m",
            grid="1x1",
            image=image,
            objects=tuple(objects),
            nodes={},
        )
