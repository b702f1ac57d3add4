"""Tile orders for tests: nine tiles of which every second one lies between others, and many that share nothing."""

from __future__ import annotations

from edge.tasks.tile_order import TileCosts, TileOrder

WHOLE = TileCosts(100, 1000)
REUSING = TileCosts(60, 700, 400)

CROSS = TileOrder(
    order=(4, 0, 2, 6, 8, 1, 3, 5, 7),
    whole=dict.fromkeys(range(9), WHOLE),
    reusing=dict.fromkeys((1, 3, 5, 7), REUSING),
    givers={
        1: frozenset({0, 2, 4}),
        3: frozenset({0, 4, 6}),
        5: frozenset({2, 4, 8}),
        7: frozenset({4, 6, 8}),
    },
)
"""3x3 tiles: those in the centre and at the corners depend on nobody."""

FREE = (4, 0, 2, 6, 8)
DEPENDENT = (1, 3, 5, 7)


def plain(count: int) -> TileOrder:
    """So many tiles that share nothing."""
    return TileOrder(tuple(range(count)), dict.fromkeys(range(count), WHOLE))
