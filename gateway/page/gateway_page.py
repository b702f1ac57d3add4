"""Connects the page with the gateway's parts: reads them when a browser asks, and changes settings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gateway.cameras.area_switches import MASK_PREFIX
from gateway.cameras.mqtt_values import read_switch, with_setting
from gateway.cameras.overrides import Overrides
from gateway.page.cluster_views import (
    DeviceColours,
    camera_view,
    cluster_view,
    events_view,
    history_view,
    plan_view,
)
from gateway.page.frame_views import frame_view, uncounted_view
from gateway.page.gateway_metrics import gateway_metrics
from gateway.page.live_pictures import LivePictures
from gateway.page.page_record import PageRecord
from gateway.page.plan_reasons import explain_plan
from gateway.page.tile_layout import TileLayouts
from gateway.page.timelines import TIMELINE_SECONDS, read_trace, timelines_view
from gateway.page.viewers import Viewers
from gateway.page.waiting_nodes import Entrants, waiting_nodes
from shared.errors import ConfigurationError
from shared.metrics.metric_families import metrics_text
from shared.mqtt import topics
from shared.payloads.cluster import State
from shared.status.status_report import build_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import ComputedFrame, FetchPicture
    from gateway.cluster.trace_collector import TraceCollector
    from gateway.home import Home
    from shared.payloads.cluster import BridgeState, FrameDetections
    from shared.payloads.frames import Outcome
    from shared.status.cluster_facts import ClusterFacts
    from shared.status.status_report import Status

    MeasuredLink = tuple[str, str, float]
    Application = Callable[[Any, Any, Any], Awaitable[None]]


class GatewayPage:
    """The content of the page, and the changes that it can make: those of the topics `set` and `request` of MQTT.

    It is the FrameWatcher of the gateway's home.
    """

    def __init__(
        self,
        home: Home,
        bus: Planes,
        traces: TraceCollector,
        state: Callable[[], BridgeState],
        entrants: Callable[[], Entrants] = Entrants,
        links: Callable[[], Sequence[MeasuredLink]] = tuple,
    ) -> None:
        """`state()` describes the running gateway; `entrants()` returns the members, invitations and refused devices.

        `links()` returns measured rates: (owner of a tile, node that fetched it, bytes per second).
        """
        self._links = links
        self._entrants = entrants
        self._home = home
        self._traces = traces
        self._state = state
        self._colours = DeviceColours()
        self._layouts = TileLayouts()
        self._computed: ComputedFrame | None = None
        self._requests = 0
        self._asked_at = 0.0
        self.stopping = False
        self.record = PageRecord(bus)
        self.pictures = LivePictures()
        self.viewers = Viewers(self.sections)
        home.watcher = self

    # events of the cluster

    def on_frame_computed(self, frame: ComputedFrame) -> None:
        """Keep the workers of a frame's tiles; its detections come next."""
        self._computed = frame
        if self._requests:
            self.record.on_frame_computed(frame)

    def on_detections(self, detections: FrameDetections, fetch: FetchPicture) -> None:
        """Count a frame, and fetch its picture if a browser waits for one of its camera."""
        self.record.on_frame(detections)
        if self.pictures.wanted(detections.camera):
            computed = self._computed
            self.pictures.take(
                detections.camera, detections.frame, lambda: self._frame_view(detections, computed), fetch
            )

    def on_frame_ended(self, _: str, outcome: Outcome) -> None:
        """Count a frame that was dropped."""
        self.record.on_frame_ended(outcome)

    # content

    def sections(self) -> dict[str, Any]:
        """Return the sections of the page, as values of JSON."""
        facts = self._facts()
        state = self._state()
        status = build_status(facts, state, "", time.time())
        configuration, cameras = self._home.configuration, self._home.cameras
        return {
            "cluster": cluster_view(
                status, facts.nodes, self.record.flows.current(time.monotonic()), self._colours, self._links()
            )
            | self._waiting(status),
            "cameras": [
                camera_view(
                    name, camera, cameras.section_of(name), cameras.section_of(name).objects or configuration.objects,
                    cameras.effective_settings(name), cameras.settings.area_states(name),
                )
                for name, camera in status.cameras.items()
            ],
            "profiles": {
                "chosen": cameras.settings.profile,
                "names": {name: section.friendly_name or name for name, section in configuration.profiles.items()},
            },
            "problems": [problem.model_dump() for problem in status.problems],
            "plan": plan_view(status, facts.info, explain_plan(facts.info, facts.nodes)),
            "events": events_view(self.record.objects, self.record.pictured, list(self.record.cluster_events)),
        }  # fmt: skip

    def _waiting(self, status: Status) -> dict[str, Any]:
        entrants = self._entrants()
        edges = {name: edge.state is State.ONLINE for name, edge in status.edges.items()}
        online, offline = ([name for name, there in edges.items() if there is wanted] for wanted in (True, False))
        return {
            "keys": entrants.members is not None,
            "waiting": waiting_nodes(entrants, online, offline, time.monotonic()),
        }

    def history(self) -> dict[str, Any]:
        """Return the columns of the last day's plot."""
        return history_view(self.record.history.minutes(time.time()))

    async def timelines(self) -> dict[str, Any]:
        """Return the spans of the last frames, which are requested from every device."""
        header, parts = await self._traces.collect(TIMELINE_SECONDS)
        return timelines_view(read_trace(header, parts))

    def uncounted(self, camera: str) -> list[dict[str, Any]]:
        """Return the last objects of a camera that never counted."""
        explanation = self._home.observer.explain(camera)
        return [] if explanation is None else uncounted_view(explanation.uncounted)

    def metrics(self) -> bytes:
        """Return the gateway's metrics as Prometheus reads them."""
        return metrics_text(gateway_metrics(self._facts(), self.record.history.latencies()))

    def knows_camera(self, camera: str) -> bool:
        """Return whether a camera is configured, or was reported."""
        return self._home.cameras.is_known(camera)

    def _facts(self) -> ClusterFacts:
        facts = self.record.facts()
        home, prefix = self._home, facts.prefix
        facts.on_message(topics.BRIDGE_INFO.full_path(prefix=prefix), home.bridge_info().model_dump_json().encode())
        facts.on_message(topics.BRIDGE_HEALTH.full_path(prefix=prefix), home.health_report().model_dump_json().encode())
        return facts

    def _frame_view(self, detections: FrameDetections, computed: ComputedFrame | None) -> dict[str, Any]:
        explanation = self._home.observer.explain(detections.camera)
        if computed is None or computed.frame != detections.frame:
            return frame_view(detections, explanation, "", [], {})
        boxes = self._layouts.boxes(computed.divided, computed.size)
        return frame_view(detections, explanation, computed.owner, boxes, computed.workers)

    # changes

    async def change_setting(self, camera: str, setting: str, payload: bytes) -> None:
        """Change a setting of a camera, as by MQTT. Raises ConfigurationError, which says what is valid."""
        if setting.startswith(MASK_PREFIX):
            self._check_switch(camera, setting, payload, is_zone=False)
        else:
            with_setting(Overrides(), setting, payload)
        await self._home.cameras.control.change_setting(camera, setting, payload)

    async def switch_zone(self, camera: str, zone: str, payload: bytes) -> None:
        """Switch a zone, as by MQTT. Raises ConfigurationError, which says what is valid."""
        self._check_switch(camera, zone, payload, is_zone=True)
        await self._home.cameras.control.switch_zone(camera, zone, payload)

    def _check_switch(self, camera: str, area: str, payload: bytes, *, is_zone: bool) -> None:
        read_switch(payload)
        if (is_zone, area) not in self._home.cameras.settings.areas(camera):
            raise ConfigurationError(f"camera {camera} has no {'zone' if is_zone else 'mask'} {area[:64]!r}")

    async def choose_profile(self, profile: str) -> None:
        """Let a profile apply, as by MQTT. Raises ConfigurationError, which says what is valid."""
        names = self._home.configuration.profiles
        if profile not in names:
            raise ConfigurationError(f"profile {profile[:64]!r} not found; profiles: {', '.join(names) or 'none'}")
        await self._home.cameras.control.choose_profile(profile)

    async def perform(self, command: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a request, as by MQTT. Raises DeepThingsError."""
        return dict(await self._home.requests.perform(command, request))

    # requests

    def begin(self) -> None:
        """Prepare for requests, when the web server starts."""
        self.stopping, self._asked_at = False, time.monotonic()

    async def end(self) -> None:
        """End all open requests, when the web server stops."""
        self.stopping = True
        await self.viewers.close()
        await self.pictures.close()

    def is_idle(self, seconds: float) -> bool:
        """Return whether there has been no request for this many seconds."""
        return not self._requests and time.monotonic() - self._asked_at >= seconds

    def counting(self, application: Application) -> Application:
        """Return an ASGI application that counts the open requests of this one."""

        async def counted(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  (of ASGI)
            self._requests += 1
            try:
                await application(scope, receive, send)
            finally:
                self._requests -= 1
                self._asked_at = time.monotonic()

        return counted
