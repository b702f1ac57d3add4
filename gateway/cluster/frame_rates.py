"""Computes how many whole frames per second each node could compute, and how much work a division adds. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.ftp.macs import macs_of
from shared.payloads.cluster import NodeReport, Nodes, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.ftp.stage import Stage
    from shared.model.network import Network


def add_frame_rates(
    report: Nodes,
    frame_macs: int,
    speed_of: Callable[[str], float | None],
    trial_of: Callable[[str], float | None] = lambda _: None,
) -> Nodes:
    """Return the list of nodes, each with the whole frames per second that it could compute, if that was measured.

    `frame_macs`: multiply-accumulate operations of the undivided network. `speed_of(node)`: the operations per second
    of one lane of a node now; `trial_of(node)`: those when it joined; None: not measured.
    """
    nodes = {
        name: _with_rates(node, frame_macs, computable_per_s=speed_of(name), profile_per_s=trial_of(name))
        for name, node in report.nodes.items()
    }
    return report.model_copy(update={"nodes": nodes})


def _with_rates(node: NodeReport, frame_macs: int, **speeds: float | None) -> NodeReport:
    if node.state is not State.ONLINE or frame_macs <= 0:
        return node
    lanes = max(1, node.lanes)
    rates = {key: float(f"{lanes * speed / frame_macs:.3g}") for key, speed in speeds.items() if speed is not None}
    return node.model_copy(update=rates) if rates else node


def relative_work(stages: Sequence[Stage], network: Network) -> float:
    """Return the operations of a frame divided into these stages, with the layers behind them, relative to undivided.

    It is more than 1, because tiles compute halos as well. With reuse it assumes that all strips come in time.
    """
    whole = macs_of(network, network.layers)
    if not whole or any(stage.whole for stage in stages):
        return 1.0
    tail = whole - sum(macs_of(network, stage.layers) for stage in stages)
    return round((sum(map(_stage_macs, stages)) + tail) / whole, 2)


def _stage_macs(stage: Stage) -> int:
    reusing = stage.reusing or (None,) * len(stage.tiles)
    return sum((reuse or tile).macs for tile, reuse in zip(stage.tiles, reusing, strict=True))
