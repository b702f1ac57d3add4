"""Writes the plan that every edge gets, from a partitioned network. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.ftp.costs import working_bytes
from shared.plan.plan import DetectorPlan, JointPlan, Plan, ProgramRef, StagePlan, TilePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.planning.methods import Method
    from shared.ftp.stage import Stage
    from shared.model.network import Network
    from shared.model.spec import Preprocessing
    from shared.network.addresses import Address
    from shared.wire.map_values import MapType

PixelType = Literal["uint8", "float32"]


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """Terms of a plan: the shortest lease of a stolen task, a frame's deadline, types of pixels and maps on the wire.

    The paper sends both as float32.
    """

    lease_s: float = 1.0
    deadline_s: float = 10.0
    pixels: PixelType = "uint8"
    maps: MapType = "float32"


def write_plan(
    method: Method,
    network: Network,
    preprocessing: Preprocessing,
    stages: Sequence[Stage],
    programs: Sequence[ProgramRef],
    epoch: int,
    gateway: Address,
    terms: PlanTerms,
    detector: DetectorPlan | None = None,
) -> Plan:
    """Return the plan as edges read it; with a `detector` they compute whole frames.

    Raises ConfigurationError when edges would refuse it.
    """
    try:
        return Plan(
            epoch=epoch,
            method=method,
            model=network.name,
            input=network.input_size,
            preprocessing=preprocessing,
            cut=stages[-1].cut,
            stages=tuple(_stage_plan(network, *pair) for pair in zip(stages, programs, strict=True)),
            distribution=method.distribution,
            detector=detector,
            pixels=terms.pixels,
            maps=terms.maps,
            gateway_host=gateway.host,
            gateway_port=gateway.port,
            lease_s=terms.lease_s,
            deadline_s=terms.deadline_s,
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"model {network.name} cannot be planned: {error.errors()[0]['msg']}; try a finer --grid"
        ) from error


def _stage_plan(network: Network, stage: Stage, program: ProgramRef) -> StagePlan:
    return StagePlan(
        layers=len(stage.layers),
        grid=str(stage.grid),
        channels=() if stage.whole else tuple(network.shapes[tensor][1] for tensor in stage.cut),
        program=program,
        working_bytes=working_bytes(network, stage),
        tiles=tuple(TilePlan.from_tile(tile) for tile in stage.tiles),
        joints=tuple(
            JointPlan.model_validate(
                {"channels": network.shapes[tensor][1], "dtype": network.types.get(tensor, "float32")}
            )
            for tensor in stage.joints
        ),
        reusing=tuple(tile and TilePlan.from_tile(tile) for tile in stage.reusing),
    )
