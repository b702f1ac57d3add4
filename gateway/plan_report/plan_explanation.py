"""Explains which plan method `auto` would choose for a cluster, among which candidates, and why."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.plan_report.formatting import format_mebibytes
from gateway.plan_report.plan_figures import Figures
from gateway.planning.kernel_costs import unit_costs
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.plan_search import GAIN_TO_DIVIDE, search_plans
from gateway.planning.predicted_plans import predicted_plans
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from shared.engine.kernel_measuring import run_kernel_trial
from shared.engine.kernel_trial import KernelTrial
from shared.engine.measuring import MemoryTrial, run_memory_trial
from shared.engine.opening import open_engine, prepared_folder
from shared.engine.sessions import PreparedEngine
from shared.files.unfinished import temporary_folder
from shared.payloads.bridge import PredictedPlan  # noqa: TC001  (pydantic reads it)
from shared.process.signals import run_coroutine
from shared.process.usable_cores import PROBE_PERIODS, QUOTA_PERIOD_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from gateway.models.catalogue import Model
    from gateway.planning.plan_candidates import PlanCandidate
    from gateway.planning.plan_search import PlanSearch
    from shared.engine.kernel_kinds import KernelKind
    from shared.engine.opening import TileKinds
    from shared.ftp.grid import Grid

BYTES_OF_MEGABIT = 125_000


class PlanExplanation(Figures):
    """The plans for a cluster, the best first.

    `device_s`: the seconds that one core of this device needs for a whole frame; `kernels`: the costs of kinds of
    layers on this device, relative to usual convolutions; `speeds`: those of the edges, relative to this device.
    """

    model: str
    device_s: float
    kernels: dict[str, float]
    speeds: tuple[float, ...]
    gateway_speed: float
    link_mbit_per_s: float
    plans: tuple[PredictedPlan, ...]

    @property
    def verdict(self) -> str:
        """Return a sentence on which plan is used while one frame is under way, and why."""
        whole = next(found for found in self.plans if found.plan == "whole frames")
        divided = [found for found in self.plans if found.plan != whole.plan and not found.refused]
        many = f"Many frames are computed whole, {whole.frames_per_s:.3g} a second."
        if not divided:
            return f"Frames are computed whole: there is no other plan that can be run. {many}"
        best = divided[0]
        ratio = best.latency_s / whole.latency_s
        if ratio >= GAIN_TO_DIVIDE:
            return (
                f"Frames are computed whole, {whole.latency_s:.3g} s each: the best tiles, {best.plan}, would take "
                f"{ratio:.0%} of that. {many}".replace("%", " %")
            )
        return (
            f"A frame alone is divided: {best.plan}, {best.latency_s:.3g} s instead of {whole.latency_s:.3g} s. {many}"
        )


def explain_plans(
    model: Model,
    speeds: Sequence[float],
    gateway_speed: float,
    link_mbit_per_s: float,
    cut: Sequence[str] = (),
    grid: Grid | None = None,
    memory_mib: int = 0,
) -> PlanExplanation:
    """Return the plans for edges of these `speeds`, relative to this device, whose speed is measured.

    The first edge has the camera. The gateway's cores compute, too. Plans may use `memory_mib` of each edge; 0: as much
    as they need. Raises ModelError when the network cannot be run, CutError and ConfigurationError for an invalid cut.
    """
    whole = PartitionedModel.whole(model)
    device_s, kernels = _measure(whole)
    link = link_mbit_per_s * BYTES_OF_MEGABIT
    like = DeviceProfile("", 0.0, link, memory_mib * 2**20, unit_costs(kernels))
    this = whole.costs.of_tiles(like) / device_s
    devices = tuple(replace(like, name=f"edge-{i}", macs_per_s=speed * this) for i, speed in enumerate(speeds, 1))
    gateway = replace(like, name="gateway", macs_per_s=gateway_speed * this, memory_bytes=0)
    cluster = ClusterProfile((*devices, gateway), gateway, owner="edge-1")
    search = search_plans(model.network, cluster, cut=cut, grid=grid)
    return PlanExplanation(
        model=model.spec.name,
        device_s=device_s,
        kernels={kind.value: float(f"{cost:.3g}") for kind, cost in kernels.items()},
        speeds=tuple(speeds),
        gateway_speed=gateway_speed,
        link_mbit_per_s=link_mbit_per_s,
        plans=predicted_plans(search, dict.fromkeys(map(str, _used(search)))),
    )


def _used(search: PlanSearch) -> list[PlanCandidate]:
    """Return the plans that method `auto` uses: whole frames, and the best tiles if they pay."""
    best, whole = search.best_divided, search.whole
    pays = best is not None and best.prediction.latency_s < GAIN_TO_DIVIDE * whole.prediction.latency_s
    return [whole, best] if best is not None and pays else [whole]


def _measure(whole: PartitionedModel) -> tuple[float, Mapping[KernelKind, float]]:
    """Return the seconds of a whole frame on one core of this device, and the costs of kinds of layers there."""
    with temporary_folder("plan") as folder:
        program = folder / "program.onnx"
        program.write_bytes(whole.build_programs()[0].join())
        kinds = whole.kinds[0]
        form = whole.stage.tiles[0].form
        trial = MemoryTrial("plain", str(program), (form,), kinds.working_bytes, str(folder))
        seconds = min(run_memory_trial(trial).seconds)
        return seconds, run_coroutine(partial(_measure_kinds, program, kinds, folder))


async def _measure_kinds(program: Path, kinds: TileKinds, folder: Path) -> Mapping[KernelKind, float]:
    """Return the costs of kinds of layers; {} for a network that edges run without preparing it."""
    engine = await open_engine(program, kinds, folder)
    if engine.name != PreparedEngine.name:
        return {}
    prepared = prepared_folder(program, kinds, folder)
    return await run_kernel_trial(
        KernelTrial(prepared, kinds.largest, kinds.working_bytes, 1, PROBE_PERIODS * QUOTA_PERIOD_S)
    )


def render_explanation(explanation: PlanExplanation) -> RenderableType:
    """Return the explanation for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("plan", overflow="fold")
    for name in ("devices", "s a frame", "frames/s", "MB a frame", "MiB a device"):
        table.add_column(name, justify="right")
    table.add_column("limited by", overflow="fold")
    for found in explanation.plans:
        table.add_row(
            found.plan, str(len(found.devices)), f"{found.latency_s:.3f}", f"{found.frames_per_s:.2f}",
            f"{found.frame_bytes / 1e6:.2f}", format_mebibytes(found.memory_bytes), found.refused or found.limit,
        )  # fmt: skip
    speeds = ", ".join(f"{speed:g}" for speed in explanation.speeds)
    return Group(
        Text(
            f"{explanation.model} on {len(explanation.speeds)} edges of {speeds} times the speed of this device, which "
            f"needs {explanation.device_s:.3f} s for a whole frame on one core, with a gateway of "
            f"{explanation.gateway_speed:g} whose cores compute, too, and links of "
            f"{explanation.link_mbit_per_s:g} Mbit/s"
        ),
        Text(f"kinds of layers, by a usual operation: {_kinds(explanation.kernels)}"),
        Text(""),
        table,
        Text(f"\n{explanation.verdict}"),
    )


def _kinds(kernels: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {cost:.3g}" for kind, cost in kernels.items()) or "not measured, the usual ones"
