"""The rows of the table: what each measures, its goal, and its result. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


OTHERS_CORES = "others_cores"
"""Name of the figure with the cores that were used by programs that do not belong to the bench."""

PREDICTIONS = "predictions"
"""The row about the predictions of all plans in the other rows."""

MAX_PREDICTION_ERROR, PREDICTED_SHARE = 0.2, 0.9
"""Goal: this share of the plans is predicted with at most this error, relative to the measured frames a second."""


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """A row of the table, with its goal in words."""

    title: str
    goal: str


SCALE_ROWS: dict[str, ScaleRow] = {
    "built-in": ScaleRow("built-in network, 6 cameras on 6 edges, of the edges alone", ">= 90 %"),
    "built-in-gateway": ScaleRow("built-in network, 6 cameras, of the edges and the gateway alone", ">= 85 %"),
    "yolov2": ScaleRow("YOLOv2-608, 6 cameras on 6 edges, of the edges alone", ">= 95 %"),
    "yolov2-gateway": ScaleRow("YOLOv2-608, 6 cameras, of the edges and the gateway alone", ">= 90 %"),
    "age": ScaleRow("YOLOv2-608, 6 cameras, age of the oldest frame against one device's latency", "<= 2x"),
    "one-edge": ScaleRow("built-in network, one edge and its gateway, of the edge alone", ">= 92 %"),
    "one-edge-depthwise": ScaleRow("depthwise network, one edge and its gateway, of the edge alone", ">= 92 %"),
    "one-camera": ScaleRow("built-in network, one camera, latency against the best device alone", "<= 1.10x or 10 ms"),
    "slow-edge": ScaleRow("built-in network, one camera, one edge ten times slower", "<= 1.05x"),
    "thin-link": ScaleRow("built-in network, one camera, one link with 2 Mbit/s", "<= 1.05x"),
    "overload": ScaleRow("YOLOv2-608, load twelvefold: latency against unloaded", "<= 2x"),
    "fairness": ScaleRow("YOLOv2-608, load twelvefold: frames of the cameras, difference", "<= 5 %"),
    "head": ScaleRow("YOLOv2's first 16 layers, one camera, 6 edges, of one edge undivided", ">= 3.2x"),
    "head-half": ScaleRow("the same, maps in half precision", ">= 3.5x"),
    "head-gigabit": ScaleRow("the same at 1 Gbit/s, maps in half precision", ">= 4.4x"),
    "head-shared": ScaleRow("the same on one shared medium of 62 Mbit/s, exact", ">= 2.6x"),
    "head-shared-half": ScaleRow("the same, maps in half precision", ">= 3.0x"),
    "head-paper-speed": ScaleRow("the first 16 layers on 6 edges of the paper's speed, half precision", ">= 4.3x"),
    "end-to-end": ScaleRow("all of YOLOv2-608, one camera, 6 edges, of the gateway alone", ">= 2.2x"),
    "end-to-end-weak": ScaleRow("the same with a gateway as weak as an edge, of the gateway alone", ">= 3.6x"),
    "unequal": ScaleRow("6 cameras on edges of 1, 1, 1/2, 1/2, 1/4, 1/4 of the usual speed, of their sum", ">= 85 %"),
    "unequal-head": ScaleRow("one camera on these, YOLOv2's first 16 layers, of their sum", ">= 85 %"),
    "divided-memory": ScaleRow("all of YOLOv2-608 divided: maps of an edge, of the whole network's", "<= 25 %"),
    "divided-bytes": ScaleRow("bytes of a divided frame, half precision, against FTP-WSH in float32", ">= -75 %"),
    PREDICTIONS: ScaleRow("plans of divided frames, frames/s predicted within 20 % of what was measured", "9 of 10"),
    "handling": ScaleRow("handling, core-ms a frame beyond the reference's steps: owner / gateway", "<= 1.5 / 1.2"),
    "one-machine": ScaleRow("all on one machine with two cores, of two bare loops", ">= 90 %"),
    "cores": ScaleRow("cores that an edge uses which may use all", "all"),
    "memory": ScaleRow("proportional memory: gateway / edge / each further camera", "<= 150 / 90 / 40 MB"),
    "cold-start": ScaleRow("from nothing to the first detections: not cached / cached", "stated"),
}


@dataclass(frozen=True, slots=True)
class ScaleResult:
    """The result of a row, as texts for the table.

    `bare`: the devices alone with the whole job; `session`: the devices alone with only the network; both may be empty.
    `ratio`: measured divided by bare, None if that has no meaning. `reached`: whether the goal is; None if the goal has
    no number, or if this is undecided. `figures`: numbers for plots, by name.
    """

    row: str
    measured: str
    bare: str = ""
    session: str = ""
    ratio: float | None = None
    reached: bool | None = None
    remark: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return SCALE_ROWS[self.row].title

    @property
    def goal(self) -> str:
        return SCALE_ROWS[self.row].goal

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read a result that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        SCALE_ROWS[values["row"]]
        return cls(**values)


def parse_rows(text: str) -> tuple[str, ...]:
    """Read "built-in,memory" or "all". Raises ConfigurationError."""
    wanted = {part.strip() for part in text.split(",")}
    if wanted == {"all"}:
        return tuple(SCALE_ROWS)
    unknown = wanted - SCALE_ROWS.keys()
    if unknown:
        raise ConfigurationError(f"rows {text!r}: write all, or some of {', '.join(SCALE_ROWS)}, with commas")
    return tuple(row for row in SCALE_ROWS if row in wanted)


def rate_text(frames_per_s: float) -> str:
    """Return a text with frames a second."""
    return f"{frames_per_s:.2f} frames/s" if frames_per_s < 10 else f"{frames_per_s:.1f} frames/s"


def time_text(seconds: float) -> str:
    """Return a text with a latency."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


def throughput_result(
    row: str, measured: float, bare: float, session: float, goal: float, remark: str, others_cores: float = 0.0
) -> ScaleResult:
    """Return a row of frames a second. `goal`: the least ratio of `measured` to `bare`, the sum of the devices alone.

    `others_cores`: those used by programs that do not belong to the bench.
    """
    ratio = measured / bare
    return ScaleResult(
        row, rate_text(measured), rate_text(bare), rate_text(session), ratio, ratio >= goal,
        f"{measured / session * 100:.0f} % of session.run; {remark}; others used {others_cores:.1f} cores",
        {"measured": measured, "bare": bare, "session": session, OTHERS_CORES: others_cores},
    )  # fmt: skip


def latency_result(
    row: str, measured: float, bare: float, session: float, goal: float, remark: str, slack_s: float = 0.0
) -> ScaleResult:
    """Return a row of latency in seconds. `measured` is 0 if no frame was published.

    `goal`: the largest ratio of `measured` to `bare`. The goal is also reached if the difference is at most `slack_s`.
    """
    if not measured:
        return ScaleResult(row, "no frame was published", time_text(bare), time_text(session), None, False, remark)
    ratio = measured / bare
    return ScaleResult(
        row, time_text(measured), time_text(bare), time_text(session), ratio,
        ratio <= goal or measured - bare <= slack_s, remark,
        {"measured": measured, "bare": bare, "session": session},
    )  # fmt: skip


def predictions_result(results: Iterable[ScaleResult]) -> ScaleResult | None:
    """Return the row of how many of the plans in these results were predicted well; None if there are no plans."""
    errors = {
        f"{result.row}, {name}": plan["predicted"] / plan["measured"] - 1
        for result in results
        for name, plan in result.figures.get("plans", {}).items()
        if plan["measured"]
    }
    if not errors:
        return None
    close = sum(abs(error) <= MAX_PREDICTION_ERROR for error in errors.values())
    return ScaleResult(
        PREDICTIONS, f"{close} of {len(errors)}", ratio=close / len(errors),
        reached=close >= PREDICTED_SHARE * len(errors),
        remark="; ".join(f"{name}: {error * 100:+.0f} %" for name, error in errors.items()),
        figures={"errors": errors},
    )  # fmt: skip
