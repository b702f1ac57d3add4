"""The figures of `deepthings plan` for a network that runs as a whole: on one device, up to its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.models.catalogue import why_whole_only
from gateway.plan_report.formatting import format_mebibytes
from gateway.plan_report.peak_memory import measure_whole
from gateway.plan_report.plan_figures import Figures, MeasuredMemory
from gateway.planning.partitioned import PartitionedModel

if TYPE_CHECKING:
    from gateway.models.catalogue import Model


class WholeReport(Figures):
    """The figures of a network that runs as a whole.

    `whole_only`: why it cannot be divided into tiles, "" if it can; `total_macs`: multiply-accumulate operations of its
    convolutions and pools; `unreadable`: why no decoder reads its outputs, "" if one does.
    """

    model: str
    input: tuple[int, int]
    method: str = "whole"
    layers: int
    outputs: tuple[str, ...]
    total_macs: int
    weight_bytes: int
    whole_only: str = ""
    measured: MeasuredMemory | None = None
    unreadable: str = ""

    def in_words(self) -> str:
        """Return the report as sentences."""
        height, width = self.input
        lines = [
            f"{self.model}, {height}x{width} pixels, runs as a whole: every frame on one device, up to "
            f"{', '.join(self.outputs)}.",
            f"It has {self.layers} layers, {self.total_macs / 1e9:.2f} GMAC in its convolutions and pools, and "
            f"{format_mebibytes(self.weight_bytes)} MiB of weights.",
        ]
        if self.whole_only:
            lines.append(f"It runs whole only, because {self.whole_only}.")
        if self.measured:
            own = ", ".join(map(format_mebibytes, self.measured.grids.values()))
            usual = format_mebibytes(self.measured.default_bytes)
            lines.append(f"An edge needs {own} MiB for it, onnxruntime as it comes {usual} MiB (measured).")
        return "\n".join(lines)


def report_on_whole(model: Model, *, measured: bool = False) -> WholeReport:
    """Return the figures of a whole network; measuring takes some seconds. Raises ModelError if it cannot be run."""
    network = model.network
    partitioned = PartitionedModel.whole(model)
    return WholeReport(
        model=model.spec.name,
        input=network.input_size,
        layers=len(network.layers),
        outputs=network.outputs,
        total_macs=partitioned.stage.tiles[0].macs,
        weight_bytes=sum(tensor.ByteSize() for tensor in model.proto.graph.initializer),
        whole_only=why_whole_only(model),
        measured=_measure(partitioned) if measured else None,
        unreadable=model.unreadable,
    )


def _measure(partitioned: PartitionedModel) -> MeasuredMemory:
    default, own = measure_whole(partitioned)
    return MeasuredMemory(default_bytes=default, grids={str(partitioned.stage.grid): own})
