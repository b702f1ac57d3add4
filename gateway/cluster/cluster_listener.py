"""The interface through which a cluster reports detections, nodes and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.model.arrays import Pixels
    from shared.payloads.bridge import BridgeEventType, FrameTime
    from shared.payloads.cluster import FrameDetections, Nodes
    from shared.payloads.frames import Outcome

    FetchPicture = Callable[[], Awaitable[Pixels]]
    """Fetches a frame's picture, uint8 BGR (H, W, 3), from its owner. Raises DeepThingsError when it cannot."""


class ClusterListener(Protocol):
    """Receives detections, the ends of frames, and changes of the cluster."""

    async def on_detections(self, detections: FrameDetections, fetch: FetchPicture, received_at: float) -> None:
        """Process the detections of one published frame.

        `fetch` works while the frame's owner keeps its picture. `received_at` is when the gateway first received
        something of the frame, in monotonic seconds.
        """

    async def on_nodes(self, nodes: Nodes) -> None:
        """Process the list of edges after a change."""

    def on_frame_ended(self, camera: str, outcome: Outcome) -> None:
        """Count a frame that was published or dropped."""

    def on_frame_time(self, time: FrameTime) -> None:
        """Count where the time of a published frame went."""

    def serves(self, camera: str, node: str) -> bool:
        """Return whether a node may have frames of a camera."""

    async def on_plan_changed(self) -> None:
        """Publish the plan that new frames follow from now on."""

    def on_cluster_event(self, kind: BridgeEventType, name: str = "", reason: str = "") -> None:
        """Publish an event of the cluster, such as a node that joined."""
