"""The interface through which a cluster reports detections, nodes and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.planning.partitioned import PartitionedModel
    from shared.model.arrays import Pixels
    from shared.payloads.bridge import BridgeEventType, FrameTime
    from shared.payloads.cluster import FrameDetections, Nodes
    from shared.payloads.frames import Outcome

    FetchPicture = Callable[[], Awaitable[Pixels]]
    """Fetches a frame's picture, uint8 BGR (H, W, 3), from its owner. Raises DeepThingsError when it cannot."""


@dataclass(frozen=True, slots=True)
class ComputedFrame:
    """A frame whose tiles are merged. `workers` are the nodes that computed them, by index of tile."""

    frame: str
    camera: str
    owner: str
    size: tuple[int, int]
    """Width and height of the picture in pixels."""
    workers: Mapping[int, str]
    divided: PartitionedModel


class ClusterListener(Protocol):
    """Receives detections, the ends of frames, and changes of the cluster."""

    async def on_detections(self, detections: FrameDetections, fetch: FetchPicture, received_at: float) -> None:
        """Process the detections of one published frame.

        `fetch` works while the frame's owner keeps its picture. `received_at` is when the gateway first received
        something of the frame, in monotonic seconds.
        """

    def on_frame_computed(self, frame: ComputedFrame) -> None:
        """Note who computed the tiles of a frame, before its detections come."""

    async def on_nodes(self, nodes: Nodes) -> None:
        """Process the list of nodes after a change."""

    def on_frame_ended(self, camera: str, outcome: Outcome) -> None:
        """Count a frame that was published or dropped."""

    def on_frame_time(self, time: FrameTime) -> None:
        """Count the times that the parts of a published frame's way took."""

    def serves(self, camera: str, node: str) -> bool:
        """Return whether a node may own frames of a camera."""

    async def on_plan_changed(self) -> None:
        """Publish the plan that new frames follow from now on."""

    def on_cluster_event(self, kind: BridgeEventType, name: str = "", reason: str = "") -> None:
        """Publish an event of the cluster, such as a node that joined."""


class FrameWatcher(Protocol):
    """Receives every published frame. Its methods must be fast, because the next frame waits for them."""

    def on_frame_computed(self, frame: ComputedFrame) -> None:
        """Note who computed the tiles of a frame, before its detections come."""

    def on_frame_ended(self, camera: str, outcome: Outcome) -> None:
        """Note a frame that was published or dropped."""

    def on_detections(self, detections: FrameDetections, fetch: FetchPicture) -> None:
        """Note the detections of a frame; `fetch` works while its owner keeps the picture."""
