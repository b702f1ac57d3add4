"""The trace of a cluster: the spans of all nodes by one clock, the gateway's. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import ProtocolError
from shared.tracing.recording import decode_recording
from shared.tracing.spans import ProcessTime, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.tracing.clocks import ClockOffset


class ReceivedRecording(NamedTuple):
    """The encoded spans of one node, and its clock, or the reason why they are `missing`, as the end of a sentence."""

    node: str
    data: bytes | memoryview
    clock: ClockOffset
    missing: str = ""


@dataclass(slots=True)
class ClusterTrace:
    """The trace of a cluster, by node.

    `spans` are in the order of their begin, with times of the gateway's clock. `process` is the CPU time of the node's
    process, `clocks` the offset of its clock, `missing` the reason why a node has no trace.
    """

    spans: dict[str, list[Span]] = field(default_factory=dict)
    process: dict[str, ProcessTime] = field(default_factory=dict)
    clocks: dict[str, ClockOffset] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def frames(self) -> dict[str, list[tuple[str, Span]]]:
        """Return the spans with their nodes by frame, in the order of their begin."""
        found: dict[str, list[tuple[str, Span]]] = defaultdict(list)
        for node, spans in self.spans.items():
            for span in spans:
                found[span.frame].append((node, span))
        return {frame: sorted(spans, key=lambda each: each[1].begin) for frame, spans in sorted(found.items())}


def join_recordings(received: Iterable[ReceivedRecording]) -> ClusterTrace:
    """Return one trace of all recordings; a node whose recording cannot be read is listed as missing."""
    trace = ClusterTrace()
    for node, data, clock, missing in received:
        if missing:
            trace.missing[node] = missing
            continue
        try:
            recording = decode_recording(data)
        except ProtocolError as error:
            trace.missing[node] = f"its trace cannot be read: {error}"
            continue
        trace.spans[node] = sorted(recording.aligned(clock), key=lambda span: span.begin)
        trace.clocks[node] = clock
        if recording.cpu_s is not None:
            trace.process[node] = ProcessTime(recording.cpu_s, recording.over_s)
    return trace


def camera_of(frame: str) -> str:
    """Return the camera of a frame, whose name is made of camera, start of the agent, and number."""
    return frame.rsplit("-", 2)[0]
