"""Plans of a small network, and what is around them at the gateway, for tests without sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

from gateway.options import GatewayOptions
from gateway.planning.methods import Method
from gateway.planning.plan_prediction import costs_of_stages
from shared.detection.decoding.finished_tables import END2END
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition, whole_stage
from shared.model.spec import CompleteSpec
from shared.network.addresses import Address
from shared.payloads.frames import FrameInfo
from shared.plan.plan import DetectorPlan, ProgramRef
from tests.networks import ModelBuilder

DEADLINE_S = GatewayOptions().terms.deadline_s
LASTS_S = 2 * DEADLINE_S


def network_of():
    """A network of so many operations that their number counts in predictions, and not what a tile costs besides."""
    build = ModelBuilder(36, 48)
    tensor = build.conv(build.conv("image", 96, 3, pads=[1] * 4), 96, 21, pads=[10] * 4)
    return build.network(build.conv(tensor, 4, 1, name="output0"))


NETWORK = network_of()
SPEC = CompleteSpec(name="rows", file="rows.onnx", decoder=END2END.name)


def partition_of(program, *, whole=False, method=Method.WST, stages=()):
    """A partition of the network: into these stages, into four tiles, or whole."""
    stage = whole_stage(NETWORK) if whole else partition(NETWORK, ["output0"], Grid(2, 2))
    stages = stages or (stage,)
    programs = tuple(program + bytes(number) for number in range(len(stages)))
    opened: list[int] = []

    def detector(threads):
        opened.append(threads)
        return f"of {threads} threads"

    return SimpleNamespace(
        opened=opened, method=Method.WHOLE if whole else method, spec=SPEC, stage=stages[-1], stages=stages,
        model=SimpleNamespace(network=NETWORK, forget_weights=lambda: None), build_programs=lambda: programs,
        map_shapes=[(1, 4, 36, 48)], detector=detector, costs=costs_of_stages(NETWORK, stages),
        detector_plan=DetectorPlan(description=SPEC, outputs={"output0": (1, 30, 6)}) if whole else None,
    )  # fmt: skip


@dataclass
class Data:
    """A data plane that knows which programs are served."""

    address: Address = field(default_factory=lambda: Address("10.0.0.1", 7884))
    programs: set[str] = field(default_factory=set)

    def offer_programs(self, programs):
        hashes = [f"{int.from_bytes(program):064x}" for program in programs]
        self.programs |= set(hashes)
        return [ProgramRef(sha256=sha256, bytes=1) for sha256 in hashes]

    def keep_programs(self, needed):
        self.programs &= set(needed)


class Bus:
    """Remembers what was published, as it is read."""

    def __init__(self):
        self.said = []

    async def publish(self, topic, message):
        self.said.append((topic, type(message).model_validate_json(message.model_dump_json())))


class Clock:
    """A clock of ours."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    @staticmethod
    def time_ns():
        return 10**15


def open_frame(running, name="f", owner="pi-1", now=100.0):
    """Open a frame by a plan."""
    info = FrameInfo(frame=name, camera="door", number=1, captured_at=0.0, height=36, width=48)
    assert running.collector.open_frame(info, owner, now) is not None
    return info
