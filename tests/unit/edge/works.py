"""Plans ready to run, without programs: for tests of what happens around the engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.computing.plan_work import PlanWork
from gateway.planning.methods import Method
from gateway.planning.planner import PlanTerms, write_plan
from shared.engine.lanes import ONE_LANE
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition
from shared.model.spec import Preprocessing
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.plan.plan import ProgramRef
from shared.wire.headers import TileHeader, WorkerRef
from tests.networks import ModelBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

GATEWAY = Address("gateway", 4000)
BROKER = Address("broker", 1883)


class FakeEngine:
    """Only says whether it reuses."""

    name = "fake"
    lanes = ONE_LANE

    def __init__(self, *, reuses):
        self.reuses = reuses


def work_of(network, stages, method=Method.WST, *, deadline_s=10.0, pixels="uint8", reuses=True, preprocessing=None):
    """Work whose plan is these stages; its engines compute nothing."""
    programs = [ProgramRef(sha256=f"{number:064x}", bytes=1) for number in range(len(stages))]
    terms = PlanTerms(deadline_s=deadline_s, pixels=pixels)
    plan = write_plan(method, network, preprocessing or Preprocessing(), stages, programs, 7, GATEWAY, terms)
    return PlanWork(plan, [FakeEngine(reuses=reuses) for _ in stages], GATEWAY)


def reusing_work(grid, *, reuses=True):
    """Three layers that look around, one of them small, with reuse; and the network."""
    build = ModelBuilder(36, 48)
    tensor = "image"
    for number, filters in enumerate((4, 6, 5)):
        tensor = build.conv(tensor, filters, 3, name=f"conv_{number}", pads=[1] * 4)
    network = build.network(tensor)
    stage = with_reuse(network, partition(network, [tensor], grid))
    return network, work_of(network, [stage], Method.WST_S, reuses=reuses)


def frame_info(frame="f"):
    return FrameInfo(frame=frame, camera="door", number=1, captured_at=0.0, height=36, width=48)


def shared_tile(work, tile, workers: Sequence[str] = (), *, frame="f", attempt=0, **change):
    """A tile as the gateway shares it out, to workers that listen on ports of their own."""
    region = work.stages[0][tile].inputs[0] if tile < work.tile_count else work.stages[0][0].inputs[0]
    said = {
        "info": frame_info(frame), "epoch": work.epoch, "owner": "owner", "tile": tile, "height": region.height,
        "width": region.width, "attempt": attempt, "workers": tuple(worker_ref(name) for name in workers),
    }  # fmt: skip
    return TileHeader(**{**said, **change})


def worker_ref(name):
    return WorkerRef(node=name, host="", port=port_of(name))


def port_of(name):
    return 5000 + sum(name.encode())


def as_received(buffers):
    """A payload as it comes over the wire: bytes, whatever they were."""
    return np.frombuffer(b"".join(bytes(buffer) for buffer in buffers), np.uint8)
