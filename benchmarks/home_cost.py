"""Measures the cost of many cameras for a gateway, without the network: `python -m benchmarks.home_cost`.

Detections of walking people are generated. Trackers, scenes and MQTT to a real broker are measured, in percent of one
core of this machine, and messages for each frame.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks.tracking import Crowd
from gateway.broker.mosquitto import cluster_listener, own_broker
from gateway.broker.planes import Planes
from gateway.configuration.root import Configuration
from gateway.home import Home
from gateway.membership.members import Membership
from shared.files.unfinished import temporary_folder
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.bridge import BridgeInfo, PlanInfo
from shared.process.local_cluster import free_port

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

_CAMERAS, _SECONDS = 20, 20
_RATES = (0.5, 1.0, 2.0)
_OBJECT_COUNTS = (0, 3, 10)
_ZONE = {"coordinates": [[0.2, 0.4], [0.8, 0.4], [0.8, 1], [0.2, 1]]}
_INFO = BridgeInfo(
    version="", protocol=0, topic_prefix="deepthings", model="none", labels=("person",),
    plan=PlanInfo(epoch=0, method="ftp-wst", grid="3x3", cut=(), tiles=9),
)  # fmt: skip


async def no_picture() -> Pixels:
    """Stand in for the picture of a frame, which snapshots would need."""
    raise AssertionError("snapshots are off")


async def measure_home(fps: float, objects: int) -> tuple[float, float]:
    """Return percent of one core, and messages a frame, for cameras at this rate with this number of people each."""
    names = [f"camera-{number}" for number in range(_CAMERAS)]
    address = Address(LOOPBACK, free_port())
    camera = {"source": "test://64x64", "zones": {"yard": _ZONE}, "snapshots": {"enabled": False}}
    with temporary_folder("bench") as folder:
        configuration = Configuration.model_validate({"cameras": dict.fromkeys(names, camera), "state": folder})
        async with own_broker(cluster_listener(address)):
            bus = Bus(address, "gateway")
            home = Home(configuration, Planes(bus), Membership(address), address, None, lambda: _INFO)
            running = [asyncio.create_task(bus.run()), asyncio.create_task(home.run())]
            await bus.connected.wait()
            await home.on_connected()
            sent = 0
            publish = bus._publish  # noqa: SLF001  (all messages pass here)

            async def counted(*message: object) -> None:
                nonlocal sent
                sent += 1
                await publish(*message)  # type: ignore[arg-type]

            bus._publish = counted  # type: ignore[assignment,method-assign]  # noqa: SLF001
            films = {name: Crowd(seed, objects, fps, _SECONDS).frames() for seed, name in enumerate(names)}
            begun, used = time.monotonic(), time.process_time()
            frames = 0
            for number in range(int(_SECONDS * fps)):
                await asyncio.sleep(max(0.0, begun + number / fps - time.monotonic()))
                for name, film in films.items():
                    detections = next(film).model_copy(update={"camera": name, "captured_at": time.time()})
                    await home.on_detections(detections, no_picture, time.monotonic())
                    frames += 1
            share = 100 * (time.process_time() - used) / (time.monotonic() - begun)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    return share, sent / frames


def main() -> None:
    print(f"{_CAMERAS} cameras, one zone each")
    for fps in _RATES:
        for objects in _OBJECT_COUNTS:
            share, messages = asyncio.run(measure_home(fps, objects))
            print(f"{fps:g} frames/s, {objects} people: {share:.1f} % of a core, {messages:.2f} messages a frame")


if __name__ == "__main__":
    main()
