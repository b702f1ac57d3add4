"""Measures the cost of many cameras for a gateway, without the network: `python -m benchmarks.home_cost`.

Two scenes are generated: a street with parked cars and two people who walk by, and people in a crowd. Trackers, scenes,
the store of open events and MQTT to a real broker are measured: in percent of one core of this machine, in core-ms a
frame by part, and in messages for each frame. The message with the detections of a frame is not among these; the cost
of one such message is printed separately.

The limit of 1.5 messages a frame is meant for a usual scene like the street; a crowd at the edge of a zone needs more.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.still_scene import cpu_seconds
from benchmarks.tracking import IMAGE_SIZE, TREMBLE, Crowd
from gateway.broker.broker_listeners import cluster_listener
from gateway.broker.mosquitto import own_broker
from gateway.broker.planes import Planes
from gateway.configuration.root import Configuration
from gateway.home import Home
from gateway.membership.members import Membership
from gateway.observation.scene.scene import Scene
from gateway.observation.scene_store import SceneStore
from gateway.observation.tracking.tracker import Tracker
from shared.files.unfinished import temporary_folder
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.bridge import BridgeInfo, PlanInfo
from shared.payloads.cluster import DetectedObject, FrameDetections, FrameDone, TileDone
from shared.payloads.frames import Outcome
from shared.process.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from shared.model.arrays import Pixels
    from shared.mqtt.topic_kinds import AnyTopic

_CAMERAS, _SECONDS = 20, 20
"""Number of cameras, and for how long their cost is measured."""

_WARM_UP_S = 4
"""Not measured: at the beginning everybody appears at once, so that there are more events than later."""

_ZONE = {"coordinates": [[0.2, 0.4], [0.8, 0.4], [0.8, 1], [0.2, 1]]}
_INFO = BridgeInfo(
    version="", protocol=0, topic_prefix="deepthings", model="none", labels=("person", "car"),
    plan=PlanInfo(epoch=0, method="ftp-wst", grid="3x3", cut=(), tiles=9),
)  # fmt: skip
_KINDS = {
    topics.OBJECTS.path: "states", topics.ZONE_OBJECTS.path: "states of zones", topics.EVENTS.path: "events",
    topics.TRIGGERS.path: "triggers",
}  # fmt: skip
_MESSAGES = 2000
"""The cost of a message is the mean over this many."""


class Street:
    """Generates three parked cars and two people who walk through one camera's picture again and again."""

    _CARS = ((200.0, 500.0, 560.0, 700.0), (620.0, 500.0, 980.0, 700.0), (1400.0, 520.0, 1800.0, 740.0))
    _SPEED, _HEIGHT = 110.0, 220.0

    def __init__(self, seed: int, fps: float, seconds: float) -> None:
        self._crowd = Crowd(seed, 0, fps, seconds)
        self._random = random.Random(seed)  # noqa: S311  (each run must have the same scene)
        self._fps = fps
        self._starts = [self._random.uniform(0, IMAGE_SIZE[0]) for _ in range(2)]

    def frames(self) -> Iterator[FrameDetections]:
        """Yield the detections of each frame."""
        for frame in self._crowd.frames():
            at = frame.number / self._fps
            cars = [self._detection("car", box) for box in self._CARS]
            people = [self._detection("person", self._walker(start, at)) for start in self._starts]
            yield frame.model_copy(update={"objects": (*cars, *people)})

    def _walker(self, start: float, at: float) -> tuple[float, float, float, float]:
        x = (start + at * self._SPEED) % IMAGE_SIZE[0]
        return x - 0.2 * self._HEIGHT, 600.0, x + 0.2 * self._HEIGHT, 600 + self._HEIGHT

    def _detection(self, label: str, box: tuple[float, float, float, float]) -> DetectedObject:
        left, top, right, bottom = (side + self._random.gauss(0, TREMBLE * self._HEIGHT / 3) for side in box)
        width, height = IMAGE_SIZE
        relative = (left / width, top / height, right / width, bottom / height)
        score = self._random.uniform(0.7, 0.95)
        return DetectedObject(label=label, score=score, box=(left, top, right, bottom), box_rel=relative)


@dataclass
class Costs:
    """The costs of a run, in seconds of CPU time, and its messages by topic.

    `wall_s`: duration of the run; `all_s`: CPU time of this process; `broker_s`: that of Mosquitto; `parts_s`: CPU
    time by part of the home.
    """

    wall_s: float = 0.0
    frames: int = 0
    all_s: float = 0.0
    broker_s: float = 0.0
    parts_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    messages: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __str__(self) -> str:
        def each_ms(seconds: float) -> float:
            return 1e3 * seconds / self.frames

        publishing = self.all_s - sum(self.parts_s.values())
        parts = ", ".join(f"{name} {each_ms(spent):.2f}" for name, spent in sorted(self.parts_s.items()))
        said = ", ".join(f"{kind} {count / self.frames:.2f}" for kind, count in sorted(self.messages.items()))
        return (
            f"{100 * self.all_s / self.wall_s:.1f} % of a core; core-ms a frame: {each_ms(self.all_s):.2f} ({parts}, "
            f"publishing and the rest {publishing * 1e3 / self.frames:.2f}), broker {each_ms(self.broker_s):.2f}; "
            f"messages a frame: {sum(self.messages.values()) / self.frames:.2f} ({said or 'none'})"
        )


@contextlib.contextmanager
def timed(costs: Costs) -> Iterator[None]:
    """Add up the CPU time of each part of the home in `costs`, as long as the context lasts."""
    parts = ((Scene, "update", "scene"), (Tracker, "update", "tracker"), (SceneStore, "write", "store"))
    with contextlib.ExitStack() as stack:
        for owner, method, part in parts:
            stack.enter_context(mock.patch.object(owner, method, _timing(costs, getattr(owner, method), part)))
        yield


def _timing(costs: Costs, method: Callable[..., Any], part: str) -> Callable[..., Any]:
    def timing(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  (those of any method)
        begun = time.thread_time()
        try:
            return method(*arguments, **named)
        finally:
            spent = time.thread_time() - begun
            costs.parts_s[part] += spent
            if part == "tracker":  # a scene calls its tracker, so this time has been added to the scene's
                costs.parts_s["scene"] -= spent

    return timing


async def no_picture() -> Pixels:
    """Take the place of the function that gets a frame's picture for a snapshot; here it must not be called."""
    raise AssertionError("snapshots are off")


async def measure_home(fps: float, film: Callable[[int, float, float], Iterator[FrameDetections]]) -> Costs:
    """Return the costs of _CAMERAS cameras at this rate; `film(seed, fps, seconds)` yields the frames of one."""
    names = [f"camera-{number}" for number in range(_CAMERAS)]
    address, costs = Address(LOOPBACK, free_port()), Costs()
    camera = {"source": "test://64x64", "zones": {"yard": _ZONE}, "snapshots": {"enabled": False}}
    objects = {"track": ["person", "car"]}
    with temporary_folder("bench") as folder, timed(costs):
        configuration = Configuration.model_validate(
            {"cameras": dict.fromkeys(names, camera), "state": folder, "objects": objects}
        )
        async with own_broker(cluster_listener(address)) as broker:
            assert broker.process is not None
            bus = Bus(address, "gateway")
            home = Home(configuration, Planes(bus), Membership(address), address, None, lambda: _INFO)
            async with running(bus, home):
                _count_messages(bus, costs)
                films = {name: list(film(seed, fps, _WARM_UP_S + _SECONDS)) for seed, name in enumerate(names)}
                await _play(films, fps, home, broker.process.pid, costs)
    return costs


def _count_messages(bus: Bus, costs: Costs) -> None:
    """Count all messages that the bus publishes from now on."""
    publish = bus._publish  # noqa: SLF001  (all messages pass here)

    async def counted(topic: AnyTopic, *message: Any) -> None:  # noqa: ANN401  (passed on)
        costs.messages[_KINDS.get(topic.path, topic.path)] += 1
        await publish(topic, *message)

    bus._publish = counted  # type: ignore[method-assign,assignment]  # noqa: SLF001


async def _play(films: dict[str, list[FrameDetections]], fps: float, home: Home, broker_pid: int, costs: Costs) -> None:
    """Pass each camera's frames to the home at this rate, and store the costs of all after the warm-up."""
    begun = time.monotonic()
    for number in range(int((_WARM_UP_S + _SECONDS) * fps)):
        await asyncio.sleep(max(0.0, begun + number / fps - time.monotonic()))
        if number == int(_WARM_UP_S * fps):
            costs.parts_s.clear()
            costs.messages.clear()
            costs.frames = 0
            before = time.monotonic(), time.process_time(), cpu_seconds(broker_pid)
        for name, frames in films.items():
            detections = frames[number].model_copy(update={"camera": name, "captured_at": time.time()})
            await home.on_detections(detections, no_picture, time.monotonic())
            costs.frames += 1
    after = time.monotonic(), time.process_time(), cpu_seconds(broker_pid)
    costs.wall_s, costs.all_s, costs.broker_s = (b - a for a, b in zip(before, after, strict=True))


@contextlib.asynccontextmanager
async def running(bus: Bus, *homes: Home) -> AsyncIterator[None]:
    """Run the bus and the homes as long as the context lasts. The context begins when the bus is connected."""
    tasks = [asyncio.create_task(bus.run()), *(asyncio.create_task(home.run()) for home in homes)]
    await bus.connected.wait()
    for home in homes:
        await home.on_connected()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure_messages() -> dict[str, float]:
    """Return the core-ms of one message, by the kind of message."""
    address, found = Address(LOOPBACK, free_port()), dict[str, float]()
    frame = next(Crowd(0, 10, 1.0, 10).frames())
    async with own_broker(cluster_listener(address)):
        bus, other = Bus(address, "gateway"), Bus(address, "other")
        arrived = asyncio.Event()
        received = 0

        def on_done(_: str, __: TileDone) -> None:
            nonlocal received
            received += 1
            if received == _MESSAGES:
                arrived.set()

        bus.on(topics.RESULTS, on_done)
        async with running(bus), running(other):
            begun = time.process_time()
            for _ in range(_MESSAGES):
                await bus.publish(topics.DETECTIONS, frame, "camera")
            found["the detections of a frame with 10 people, QoS 0"] = time.process_time() - begun
            done = TileDone(frame="camera-1", tile=1, worker="edge-1", compute_ms=1.0)
            begun = time.process_time()
            for _ in range(_MESSAGES):
                await bus.publish(topics.OUTCOMES, FrameDone(frame="camera-1", outcome=Outcome.PUBLISHED), "edge-1")
            found["an outcome, QoS 1"] = time.process_time() - begun
            begun = time.process_time()
            for _ in range(_MESSAGES):
                await other.publish(topics.RESULTS, done, "edge-1")
            await arrived.wait()
            found["a cluster message, QoS 0, sent and received by one process"] = time.process_time() - begun
    return {name: 1e3 * spent_s / _MESSAGES for name, spent_s in found.items()}


def main() -> None:
    print(f"{_CAMERAS} cameras, one zone each")
    for fps in (0.5, 1.0, 2.0):
        print(f"{fps:g} frames/s, street: {asyncio.run(measure_home(fps, lambda *film: Street(*film).frames()))}")
        for people in (0, 3, 10):
            costs = asyncio.run(measure_home(fps, lambda seed, *film: Crowd(seed, people, *film).frames()))  # noqa: B023
            print(f"{fps:g} frames/s, {people} people: {costs}")
    for name, spent_ms in asyncio.run(measure_messages()).items():
        print(f"{name}: {spent_ms:.3f} core-ms")


if __name__ == "__main__":
    main()
