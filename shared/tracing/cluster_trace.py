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
    """The encoded spans of one node, and its clock; `missing`: the reason in words why there are none."""

    node: str
    data: bytes | memoryview
    clock: ClockOffset
    missing: str = ""


@dataclass(slots=True)
class ClusterTrace:
    """By node: its spans by the gateway's clock in the order of their begin, its CPU time, and its clock's offset.

    `missing`: the nodes without a trace, and why.
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
    """Return one trace; a node whose recording cannot be read is missing, and the others are not."""
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
