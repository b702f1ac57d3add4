"""Edges that compute as slowly as small devices do, so that tests know what they are doing at a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SLOWED = """
import importlib.abc, pathlib, sys, time

PAUSE, PAUSED = (pathlib.Path(__file__).with_name(name) for name in ("pause", "paused"))

def slow_down():
    import shared.engine.sessions as sessions

    for engine in (sessions.PreparedEngine, sessions.PaddingEngine):
        engine.run = slowed(engine.run)

def slowed(honest):
    def run(self, form, parts, strips=()):
        height, width = parts[0].shape[:2]
        share = height * width / INPUT_AREA
        time.sleep(SECONDS * share * (1.0 if share == 1 else TILE_SHARE))
        while PAUSE.exists():
            PAUSED.touch()
            time.sleep(0.01)
        return honest(self, form, parts, strips)

    return run

class OfEdges(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "edge.node":
            sys.meta_path.remove(self)
            slow_down()

sys.meta_path.insert(0, OfEdges())
"""
"""A sitecustomize.py: an edge sleeps before each tile, and in the middle of one for as long as there is a file."""

INPUT_AREA = 416 * 416
"""Pixels of the built-in network's input."""


class SlowDevice:
    """The code of an edge that needs `seconds` for a whole frame, and for a tile by its part of the picture.

    `tile_share`: what a tile costs relative to that, as the layers behind the cut are not computed.
    """

    def __init__(self, folder: Path, seconds: float, tile_share: float = 0.4) -> None:
        folder.mkdir()
        figures = f"SECONDS, TILE_SHARE, INPUT_AREA = {seconds}, {tile_share}, {INPUT_AREA}\n"
        (folder / "sitecustomize.py").write_text(figures + SLOWED)
        self.code = folder

    async def pause(self) -> None:
        """Wait until the device is in the middle of a tile, and let it stay there."""
        (self.code / "pause").touch()
        async with asyncio.timeout(30):
            while not (self.code / "paused").exists():  # noqa: ASYNC110  (a file says nothing when it appears)
                await asyncio.sleep(0.01)

    def go_on(self) -> None:
        """Let it end that tile."""
        (self.code / "pause").unlink()
