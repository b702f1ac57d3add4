"""Kinds of layers that a processor computes at different speeds, and their costs from a profile of onnxruntime. Pure.

The unit of all costs is the time of one multiply-accumulate operation of a usual convolution on the same device.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WEIGHT_CELLS = 27.0
"""Reading all weights of a convolution takes as long as computing this many cells of its output. Measured: 70 of the
361 cells of a layer of 1024 channels, 19 %, take 25 % of its time."""

FEW_CHANNELS = 4
"""Convolutions of at most this many input channels, such as a picture has, leave vector units partly unused."""

MIN_KIND_SHARE = 0.002
"""Kinds that take less of a frame's time are not measured: their costs would be noise, and do not matter."""

MAX_KERNEL_COST = 1e9
"""Larger costs are errors: this one is a microsecond on a device of 1e15 operations per second."""


QUOTA_PERIODS_S = (0.1, 0.05, 0.02, 0.01)
"""Usual periods of CPU quotas."""

MAX_UNEXPLAINED = 0.15
"""The sum of the times of all layers may differ from the time of a run by this part of it."""


class KernelKind(StrEnum):
    """A kind of layer, and the unit in which its work is counted."""

    USUAL = "usual"
    """A convolution of many channels; unit: multiply-accumulate operations."""
    PICTURE = "picture"
    """A convolution of at most FEW_CHANNELS input channels; unit: multiply-accumulate operations."""
    POINTWISE = "pointwise"
    """A convolution with a kernel of 1x1; unit: multiply-accumulate operations."""
    DEPTHWISE = "depthwise"
    """A convolution that computes each channel separately; unit: multiply-accumulate operations."""
    POOL = "pool"
    """A pool; unit: output values."""
    ELEMENTWISE = "elementwise"
    """Any other layer that is not fused with the convolution before it; unit: output values."""
    DISPATCH = "dispatch"
    """The start of a layer, of any kind; unit: layers."""


BASE_KINDS = (KernelKind.USUAL, KernelKind.POINTWISE)
"""The kind whose cost is the unit of all costs: the first of these that a network has."""

_REORDERING_OPERATORS = frozenset(["ReorderInput", "ReorderOutput"])
"""Operators that onnxruntime adds for its convolutions; their time is counted as that of convolutions."""


def kind_of_convolution(weight: Sequence[int]) -> KernelKind:
    """Return the kind of a convolution by the shape of its weights: outputs, inputs of a group, kernel."""
    outputs, inputs, *kernel = weight
    if inputs == 1 and outputs > 1:
        return KernelKind.DEPTHWISE
    if inputs <= FEW_CHANNELS:
        return KernelKind.PICTURE
    return KernelKind.POINTWISE if prod(kernel) == 1 else KernelKind.USUAL


def kernel_costs(
    events: Iterable[Mapping[str, Any]], run_s: float, stopped: float = 0.0
) -> dict[KernelKind, float]:  # fmt: skip
    """Return the measured costs by kind, from the events of onnxruntime's profile of several runs.

    `run_s` is the time of the shortest run; with a single thread its processor time, so that the times of the layers,
    which are wall-clock times, show how much other programs delayed them. `stopped` is the part of the time for which a
    CPU quota stops this process. Kinds that the network has not, or hardly, are left out. The result is empty if there
    is no convolution to compare with, or if other programs took too much time.
    """
    durations: dict[str, list[float]] = defaultdict(list)
    nodes: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time"):
            node = event["args"]["node_index"]
            durations[node].append(event["dur"] / 1e6)
            nodes[node] = event["args"]
    # The shortest time is the least disturbed one. The first run does not count: the system still gives it memory.
    shortest: Mapping[str, float] = {node: min(took[1:] or took) for node, took in durations.items()}
    if stopped:
        shortest = _without_pauses(shortest, run_s, stopped)
    if sum(shortest.values()) > (1 + MAX_UNEXPLAINED) * run_s:
        return {}
    return _costs_of_nodes(nodes, shortest, run_s) if shortest else {}


def _without_pauses(shortest: Mapping[str, float], run_s: float, stopped: float) -> Mapping[str, float]:
    """Return the times of nodes without the pauses of a CPU quota; {} when they do not add up to the processor time.

    A node that takes less time than a quota grants at once was not stopped in the shortest of its runs. A longer one
    was stopped in every run, for one or more whole pauses. The length of a pause follows from the period of the quota,
    which may be hidden from this process. So all usual periods are tried, and the one with which the times add up is
    taken.
    """
    candidates = [shortest]
    candidates += [
        {node: took % (stopped * period_s) for node, took in shortest.items()} for period_s in QUOTA_PERIODS_S
    ]
    best = min(candidates, key=lambda times: abs(sum(times.values()) - run_s))
    return best if abs(sum(best.values()) - run_s) <= MAX_UNEXPLAINED * run_s else {}


def _costs_of_nodes(
    nodes: Mapping[str, Mapping[str, Any]], took_s: Mapping[str, float], run_s: float
) -> dict[KernelKind, float]:
    """Return the cost of each kind: its time for a unit of its work, relative to that of the base kind."""
    seconds: dict[KernelKind, float] = defaultdict(float)
    units: dict[KernelKind, float] = defaultdict(float)
    reordering_s = 0.0
    for node, arguments in nodes.items():
        if arguments["op_name"] in _REORDERING_OPERATORS:
            reordering_s += took_s[node]
            continue
        kind, work = _work_of(arguments)
        seconds[kind] += took_s[node]
        units[kind] += work
    base = next((kind for kind in BASE_KINDS if units[kind]), None)
    if base is None:
        return {}
    kernels_s = sum(seconds.values()) + reordering_s
    seconds[base] += reordering_s
    seconds[KernelKind.DISPATCH], units[KernelKind.DISPATCH] = max(0.0, run_s - kernels_s), len(nodes)
    unit_s = seconds[base] / units[base]
    return {
        kind: min(MAX_KERNEL_COST, seconds[kind] / units[kind] / unit_s)
        for kind in KernelKind
        if units[kind] and seconds[kind] >= MIN_KIND_SHARE * kernels_s
    }


def _work_of(arguments: Mapping[str, Any]) -> tuple[KernelKind, float]:
    """Return the kind of a node of a profile, and its work in the unit of this kind."""
    values = prod(_shape(arguments["output_type_shape"][0]))
    operator = arguments["op_name"]
    if "Conv" in operator:
        shapes = [_shape(shape) for shape in arguments["input_type_shape"][1:]]
        # The weights come first; behind them there may be a map that is added to the result.
        weight = next((shape for shape in shapes if len(shape) == 4), None)
        if weight is not None:
            kind = kind_of_convolution(weight)
            macs = values * prod(weight[1:])
            reading = WEIGHT_CELLS * prod(weight) if kind in BASE_KINDS else 0.0
            return kind, macs + reading
    if operator in {"MaxPool", "AveragePool"}:
        return KernelKind.POOL, values
    return KernelKind.ELEMENTWISE, values


def _shape(typed: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Return the shape of a tensor from a profile, which has the form {element type: shape}."""
    return next(iter(typed.values()), ())
