"""Explains which plan method `auto` would choose for a cluster: all that it considers, and why one of them wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.plan_report.formatting import format_mebibytes
from gateway.plan_report.plan_figures import Figures
from gateway.planning.partitioned import PartitionedModel
from gateway.planning.plan_search import GAIN_TO_DIVIDE, search_plans
from gateway.planning.predicted_plans import predicted_plans
from gateway.planning.profiles import ClusterProfile, DeviceProfile
from shared.engine.measuring import MemoryTrial, run_memory_trial
from shared.files.unfinished import temporary_folder
from shared.payloads.bridge import PredictedPlan  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from gateway.models.catalogue import Model
    from gateway.planning.plan_search import PlanCandidate, PlanSearch
    from shared.ftp.grid import Grid

BYTES_OF_MEGABIT = 125_000


class PlanExplanation(Figures):
    """The plans for a cluster, the best first. `device_s`: seconds of a whole frame on one core of this device."""

    model: str
    device_s: float
    speeds: tuple[float, ...]
    gateway_speed: float
    link_mbit_per_s: float
    plans: tuple[PredictedPlan, ...]

    @property
    def verdict(self) -> str:
        """Return which plan is used when one frame is under way, and why, as a sentence."""
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
) -> PlanExplanation:
    """Return the plans for edges of these speeds, relative to this device, which is measured; the first has the camera.

    The gateway's cores compute, too.
    Raises ModelError when the network cannot be run, CutError and ConfigurationError for a cut that is none.
    """
    whole = PartitionedModel.whole(model)
    device_s = _measure(whole)
    link = link_mbit_per_s * BYTES_OF_MEGABIT
    this = whole.costs.total / device_s
    devices = tuple(DeviceProfile(f"edge-{i}", speed * this, link) for i, speed in enumerate(speeds, 1))
    gateway = DeviceProfile("gateway", gateway_speed * this, link)
    cluster = ClusterProfile((*devices, gateway), gateway, owner="edge-1")
    search = search_plans(model.network, cluster, cut=cut, grid=grid)
    return PlanExplanation(
        model=model.spec.name,
        device_s=device_s,
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


def _measure(whole: PartitionedModel) -> float:
    """Return the seconds of a whole frame on one core of this device."""
    with temporary_folder("plan") as folder:
        program = folder / "program.onnx"
        program.write_bytes(whole.build_programs()[0].join())
        form = whole.stage.tiles[0].form
        trial = MemoryTrial("plain", str(program), (form,), whole.kinds[0].working_bytes, str(folder))
        return min(run_memory_trial(trial).seconds)


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
        Text(""),
        table,
        Text(f"\n{explanation.verdict}"),
    )
