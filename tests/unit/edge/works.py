"""Plans ready to run, without programs: for tests of what happens around the engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.computing.plan_work import PlanWork
from edge.computing.prepared_plans import PreparedPlans
from gateway.planning.methods import Method
from gateway.planning.planner import PlanTerms, write_plan
from shared.detection.decoding.finished_tables import END2END
from shared.engine.lanes import ONE_LANE
from shared.ftp.reuse import with_reuse
from shared.ftp.tiles import partition, whole_stage
from shared.model.spec import CompleteSpec, Preprocessing
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.plan.plan import DetectorPlan, ProgramRef
from shared.security.data_security import THE_GATEWAY
from shared.wire.headers import ResultHeader, TileHeader, WorkerRef
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


def work_of(
    network, stages, method=Method.WST, *, deadline_s=10.0, pixels="uint8", maps="float32", reuses=True,
    preprocessing=None,
):  # fmt: skip
    """Work whose plan is these stages; its engines compute nothing."""
    programs = [ProgramRef(sha256=f"{number:064x}", bytes=1) for number in range(len(stages))]
    terms = PlanTerms(deadline_s=deadline_s, pixels=pixels, maps=maps)
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


class RowsEngine:
    """Gives the same table of objects for every picture, (1, N, 6); remembers the pictures."""

    name, reuses = "rows", False

    def __init__(self, rows, lanes=ONE_LANE):
        self.lanes = lanes
        self.rows, self.pictures = np.array(rows, np.float32).reshape(1, -1, 6), []

    def run(self, _form, parts, strips=()):
        assert not strips
        self.pictures.append(parts[0])
        return [self.rows], []


OBJECT = (8, 4, 20, 28, 0.9, 3)
NO_ROW = (0, 0, 0, 0, 0, 0)


def whole_work(rows=(OBJECT, *[NO_ROW] * 29), *, epoch=7, deadline_s=10.0, lanes=ONE_LANE):
    """Work of whole frames of 36 x 48 pixels; its engine finds objects of these rows: box, score, class."""
    build = ModelBuilder(36, 48)
    network = build.network(build.conv("image", 4, 3, name="output0", pads=[1] * 4))
    engine = RowsEngine(rows, lanes)
    spec = CompleteSpec(name="rows", file="rows.onnx", decoder=END2END.name)
    plan = write_plan(
        Method.WHOLE, network, Preprocessing(), (whole_stage(network),), [ProgramRef(sha256="f" * 64, bytes=1)], epoch,
        GATEWAY, PlanTerms(deadline_s=deadline_s), DetectorPlan(description=spec, outputs={"output0": (1, 30, 6)}),
    )  # fmt: skip
    return PlanWork(plan, [engine], GATEWAY)


def renumbered(work, epoch):
    """The same work by another plan."""
    return PlanWork(work.plan.model_copy(update={"epoch": epoch}), work.engines, work.gateway)


def plans_of(*works):
    """Plans that are prepared, of which the first one is preferred."""
    plans = PreparedPlans()
    for work in works:
        plans.add(work)
    if works:
        plans.prefer(works[0].epoch)
    return plans


def remove_plan(plans, epoch):
    """Remove a plan as if its last frame had passed its deadline long ago; a newer one must be there."""
    plans.withdraw_others(set(plans.epochs) - {epoch}, 0.0)
    assert plans.remove_expired(1e9) == (epoch,)


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


class Courier:
    """Remembers what was sent, as it arrives."""

    def __init__(self):
        self.sent = []

    async def send(self, address, parcel, expected):
        assert (address, expected) == (GATEWAY, THE_GATEWAY)
        header, payload = parcel
        self.sent.append((ResultHeader.decode(header.encode()), as_received([part.cast("B") for part in payload])))
