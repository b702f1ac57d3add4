"""Which cameras this edge serves: the gateway says so by MQTT, and tells their sources by TCP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from camera_sources.camera_settings import AssignedCamera
from shared.errors import ConfigurationError, DeepThingsError
from shared.network.addresses import Address
from shared.network.backoff import Backoff
from shared.wire.connection import Connection, WireTraffic
from shared.wire.headers import AbsentHeader, SettingsHeader, SettingsRequestHeader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.cameras.supervisor import CameraSupervisor
    from shared.payloads.cluster import CameraAssignment, CameraRef

log = logging.getLogger(__name__)


class Assignments:
    """Has the supervisor look after what was assigned last. While the gateway is away, cameras go on."""

    def __init__(self, broker: Address, traffic: WireTraffic, supervisor: CameraSupervisor) -> None:
        self._broker = broker
        self._traffic = traffic
        self._supervisor = supervisor
        self._newest: CameraAssignment | None = None
        self._came = asyncio.Event()
        self._known: dict[str, tuple[int, AssignedCamera]] = {}
        self._restarts: dict[str, int] = {}

    def on_assignment(self, assignment: CameraAssignment) -> None:
        """The gateway has said which cameras are ours."""
        self._newest = assignment
        self._came.set()

    async def run(self) -> None:
        """Follow assignments until cancelled; what cannot be learnt is asked for again."""
        backoff = Backoff()
        while True:
            await self._came.wait()
            self._came.clear()
            assert self._newest is not None
            try:
                await self._follow(self._newest)
                backoff.reset()
            except DeepThingsError as error:
                delay_s = backoff.next_s()
                log.warning("cameras cannot be learnt of: %s; trying again in %.1f s", error, delay_s)
                with contextlib.suppress(TimeoutError):  # a newer assignment may name a gateway that is there
                    async with asyncio.timeout(delay_s):
                        await self._came.wait()
                self._came.set()

    async def _follow(self, assignment: CameraAssignment) -> None:
        asked = [name for name, ref in assignment.cameras.items() if self._known.get(name, (0,))[0] != ref.revision]
        if asked:
            gateway = Address(assignment.host, assignment.port).seen_from(self._broker)
            connection = await Connection.open(gateway, self._traffic)
            try:
                for name in asked:
                    await self._learn(connection, name, assignment.cameras[name])
            finally:
                connection.close()
        self._known = {name: known for name, known in self._known.items() if name in assignment.cameras}
        self._supervisor.assign(self._now(assignment.cameras))
        for name, ref in assignment.cameras.items():
            if ref.restart and self._restarts.get(name, ref.restart) != ref.restart and name in self._known:
                self._supervisor.restart(name)
        self._restarts = {name: ref.restart for name, ref in assignment.cameras.items()}

    async def _learn(self, connection: Connection, name: str, ref: CameraRef) -> None:
        answer, payload = await connection.request(
            SettingsRequestHeader(camera=name, revision=ref.revision), SettingsHeader, AbsentHeader
        )
        if isinstance(answer, AbsentHeader):
            log.info("camera %s: %s", name, answer.reason)  # another assignment is on its way
            return
        try:
            self._known[name] = ref.revision, AssignedCamera.decode(bytes(payload))
        except ConfigurationError as error:
            log.warning("camera %s is not understood: %s", name, error)

    def _now(self, refs: Mapping[str, CameraRef]) -> dict[str, AssignedCamera]:
        return {
            name: known.model_copy(update={"detect": refs[name].detect, "fps": refs[name].fps})
            for name, (_, known) in self._known.items()
        }
