"""The plan as an edge carries it out: the tiles' places and pads, and the engine that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.engine.opening import TileKinds
from shared.ftp.region import Region

if TYPE_CHECKING:
    from shared.addresses import Address
    from shared.engine.sessions import TileEngine
    from shared.ftp.tiles import Pads
    from shared.messages import PlanMessage


@dataclass(frozen=True)
class Work:
    """One plan, ready to run."""

    plan: PlanMessage
    engine: TileEngine
    gateway: Address

    @property
    def epoch(self) -> int:
        return self.plan.epoch

    @property
    def tile_count(self) -> int:
        return len(self.plan.stages[0].tiles)

    @staticmethod
    def kinds(plan: PlanMessage) -> TileKinds:
        """The kinds of tile that the plan's engine must run."""
        stage = plan.stages[0]
        tiles = ((tile.pads, (tile.input[2] - tile.input[0], tile.input[3] - tile.input[1])) for tile in stage.tiles)
        return TileKinds.of(tiles, stage.working_bytes)

    def region(self, tile: int) -> Region:
        """What tile `tile` needs of the letterboxed frame."""
        return Region(*self.plan.stages[0].tiles[tile].input)

    def pads(self, tile: int) -> tuple[Pads, ...]:
        return self.plan.stages[0].tiles[tile].pads
