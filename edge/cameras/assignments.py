"""Follows the gateway's assignment of cameras, received by MQTT, and fetches their settings by TCP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from camera_sources.camera_settings import AssignedCamera
from shared.errors import ConfigurationError, DeepThingsError
from shared.network.addresses import Address
from shared.network.backoff import Backoff
from shared.security.data_security import THE_GATEWAY
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, SettingsHeader, SettingsRequestHeader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.cameras.supervisor import CameraSupervisor
    from shared.payloads.cluster import CameraAssignment, CameraRef
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)


class Assignments:
    """Gives the newest assignment to the supervisor. While the gateway is away, the cameras keep running."""

    def __init__(self, broker: Address, traffic: WireTraffic, supervisor: CameraSupervisor) -> None:
        self._broker = broker
        self._traffic = traffic
        self._supervisor = supervisor
        self._newest: CameraAssignment | None = None
        self._new_assignment = asyncio.Event()
        self._known: dict[str, tuple[int, AssignedCamera]] = {}
        self._restarts: dict[str, int] = {}

    def on_assignment(self, assignment: CameraAssignment) -> None:
        """Store a new assignment, for `run` to apply."""
        self._newest = assignment
        self._new_assignment.set()

    async def run(self) -> None:
        """Apply assignments until cancelled; retry when settings cannot be fetched."""
        backoff = Backoff()
        while True:
            await self._new_assignment.wait()
            self._new_assignment.clear()
            assert self._newest is not None
            try:
                await self._apply_assignment(self._newest)
                backoff.reset()
            except DeepThingsError as error:
                delay_s = backoff.next_s()
                log.warning("cannot get the settings of cameras: %s; trying again in %.1f s", error, delay_s)
                with contextlib.suppress(TimeoutError):  # a newer assignment may name a gateway that answers
                    async with asyncio.timeout(delay_s):
                        await self._new_assignment.wait()
                self._new_assignment.set()

    async def _apply_assignment(self, assignment: CameraAssignment) -> None:
        outdated = [name for name, ref in assignment.cameras.items() if self._known.get(name, (0,))[0] != ref.revision]
        if outdated:
            gateway = Address(assignment.host, assignment.port).seen_from(self._broker)
            connection = await Connection.open(gateway, self._traffic, THE_GATEWAY)
            try:
                for name in outdated:
                    await self._fetch_settings(connection, name, assignment.cameras[name])
            finally:
                connection.close()
        self._known = {name: known for name, known in self._known.items() if name in assignment.cameras}
        self._supervisor.assign_cameras(self._assigned_cameras(assignment.cameras))
        for name, ref in assignment.cameras.items():
            if ref.restart and self._restarts.get(name, ref.restart) != ref.restart and name in self._known:
                self._supervisor.restart_camera(name)
        self._restarts = {name: ref.restart for name, ref in assignment.cameras.items()}

    async def _fetch_settings(self, connection: Connection, name: str, ref: CameraRef) -> None:
        answer, payload = await connection.request(
            SettingsRequestHeader(camera=name, revision=ref.revision), SettingsHeader, AbsentHeader
        )
        if isinstance(answer, AbsentHeader):
            log.info("camera %s: %s", name, answer.reason)  # another assignment will follow
            return
        try:
            self._known[name] = ref.revision, AssignedCamera.decode(bytes(payload))
        except ConfigurationError as error:
            log.warning("camera %s has invalid settings: %s", name, error)

    def _assigned_cameras(self, refs: Mapping[str, CameraRef]) -> dict[str, AssignedCamera]:
        return {
            name: known.model_copy(update={"detect": refs[name].detect, "fps": refs[name].fps})
            for name, (_, known) in self._known.items()
        }
