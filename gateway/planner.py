"""From a network, a cut and a grid to the plan that every edge gets. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.ftp.costs import working_bytes
from shared.messages import PlanMessage, ProgramRef, StagePlan, TilePlan

if TYPE_CHECKING:
    from shared.addresses import Address
    from shared.ftp.region import Region
    from shared.ftp.tiles import Stage
    from shared.model.network import Network
    from shared.model.spec import Preprocessing


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan promises about time: the shortest lease of a stolen task, a frame's deadline."""

    lease_s: float = 1.0
    deadline_s: float = 10.0


def write_plan(
    network: Network,
    preprocessing: Preprocessing,
    stage: Stage,
    program: ProgramRef,
    epoch: int,
    gateway: Address,
    terms: Terms,
) -> PlanMessage:
    """The plan as edges read it."""
    return PlanMessage(
        epoch=epoch,
        model=network.name,
        input=network.input_size,
        preprocessing=preprocessing,
        cut=stage.cut,
        stages=(
            StagePlan(
                layers=len(stage.layers),
                grid=str(stage.grid),
                program=program,
                working_bytes=working_bytes(network, stage),
                tiles=tuple(
                    TilePlan(
                        input=_box(tile.input),
                        outputs=tuple(_box(region) for region in tile.outputs),
                        pads=tile.pads,
                    )
                    for tile in stage.tiles
                ),
            ),
        ),
        gateway_host=gateway.host,
        gateway_port=gateway.port,
        lease_s=terms.lease_s,
        deadline_s=terms.deadline_s,
    )


def _box(region: Region) -> tuple[int, int, int, int]:
    return region.top, region.left, region.bottom, region.right
