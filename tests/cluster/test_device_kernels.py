"""The costs of kinds of layers on a device: measured by the edge, and used by the gateway's planner."""

from __future__ import annotations

import pytest

from edge.computing.device_kernels import KERNELS_FILE
from shared.engine.kernel_kinds import KernelKind
from tests.harness import running_cluster, until_said


@pytest.mark.slow
async def test_edges_measure_kinds_of_layers_once_and_the_gateway_plans_with_them(tmp_path):
    """The second edge has the same processor and the same cache: what the first one has kept is there."""
    cache = tmp_path / "cache"
    async with running_cluster(tmp_path, 0, "--method", "auto", "--no-compute", cache=cache) as cluster:
        witness = cluster.witness
        first = await cluster.start_edge("pi-1")
        await cluster.edges_ready("pi-1")
        await until_said(first, "kinds of layers cost here, by a usual operation: usual 1", 60)
        assert list(cache.glob(f"prepared-*/{KERNELS_FILE}"))
        await cluster.start_edge("pi-2")
        await cluster.edges_ready("pi-2")

        def planned():
            return (
                {device.name: device.kernels for device in witness.infos[-1].planned_devices} if witness.infos else {}
            )

        await witness.until("a plan for both", lambda: all(planned().get(name) for name in ("pi-1", "pi-2")), 30)
        assert planned()["pi-1"] == planned()["pi-2"]
        assert planned()["pi-1"][KernelKind.USUAL] == 1
        assert {KernelKind.PICTURE, KernelKind.POINTWISE} <= set(planned()["pi-1"])
        assert "kinds of layers cost here" not in cluster.log("pi-2")
