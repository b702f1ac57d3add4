"""The order of a frame's tiles, their dependencies and their costs, pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ftp.stage import Tile


@dataclass(frozen=True, slots=True)
class TileCosts:
    """The costs of a tile in one form: multiply-accumulate operations, bytes of its pixels and of its strips."""

    macs: int
    pixel_bytes: int
    strip_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TileOrder:
    """A frame's tiles in the `order` in which their owner computes them, first those that depend on none.

    `whole`: by tile, its costs with the whole halo. `reusing`: the costs of those tiles that can be computed from
    strips of their `givers` instead.
    Source: paper, section III-C.
    """

    order: tuple[int, ...]
    whole: Mapping[int, TileCosts]
    reusing: Mapping[int, TileCosts] = field(default_factory=dict)
    givers: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of_tiles(
        cls,
        tiles: Sequence[Tile],
        reusing: Sequence[Tile | None] = (),
        joint_bytes: Sequence[int] = (),
        pixel_bytes: int = 3,
    ) -> TileOrder:
        """Return the order for a stage's tiles.

        `joint_bytes`: by joint, the bytes of one cell of its map, all channels. `pixel_bytes`: those of one pixel.

        Tiles whose strips the most others need come first, so that few are blocked; of the dependent tiles, those
        whose last giver comes first.
        """
        givers = {
            tile.index: frozenset(strip.tile for strip in tile.taken)
            for tile in reusing
            if tile is not None and tile.taken
        }
        readers = Counter(giver for of_tile in givers.values() for giver in of_tile)
        independent = [tile.index for tile in tiles if tile.index not in givers]
        independent.sort(key=lambda index: -readers[index])
        positions = {index: position for position, index in enumerate(independent)}
        dependent = sorted(givers, key=lambda index: (max(positions[giver] for giver in givers[index]), index))
        return cls(
            (*independent, *dependent),
            {tile.index: TileCosts(tile.macs, tile.inputs[0].area * pixel_bytes) for tile in tiles},
            {
                tile.index: TileCosts(
                    tile.macs,
                    tile.inputs[0].area * pixel_bytes,
                    sum(joint_bytes[strip.joint] * strip.region.area for strip in tile.taken),
                )
                for tile in reusing
                if tile is not None and tile.taken
            },
            givers,
        )

    def readers(self, giver: int) -> tuple[int, ...]:
        """Return the tiles that take strips of this tile."""
        return tuple(reader for reader, givers in self.givers.items() if giver in givers)
