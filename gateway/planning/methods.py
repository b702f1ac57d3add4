"""The methods, those of the paper among them, as values of one plan: division, distribution, reuse. Pure."""

from __future__ import annotations

from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING

from gateway.planning.stage_choice import choose_stages
from shared.errors import ConfigurationError
from shared.ftp.cuts import layer_cuts
from shared.ftp.grid import Grid
from shared.ftp.reuse import longest_chain, with_reuse
from shared.ftp.tiles import partition
from shared.plan.plan import Distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.stage import Stage
    from shared.model.network import Network

USUAL_DEVICES = range(2, 7)
"""Sizes of clusters that a division with reuse is optimised for: those of the paper's experiments."""


class Method(StrEnum):
    """The methods that the paper compares, section V, stages of fused tiles, and the choice by load."""

    AUTO = "auto"
    WHOLE = "whole"
    STAGED = "staged"
    BODP = "bodp"
    WSH = "ftp-wsh"
    WST = "ftp-wst"
    WST_S = "ftp-wst-s"

    @property
    def distribution(self) -> Distribution:
        """Return whether idle edges steal the tasks, or the gateway shares them out or assigns them."""
        match self:
            case Method.STAGED:
                return Distribution.ASSIGNING
            case Method.BODP | Method.WSH:
                return Distribution.SHARING
            case _:
                return Distribution.STEALING

    @property
    def fits_devices(self) -> bool:
        """Return whether a frame is divided for the devices that are there: a larger tile for a faster one."""
        return self in {Method.STAGED, Method.BODP}


FIXED_METHODS = tuple(method for method in Method if method is not Method.AUTO)
"""The methods that divide every frame in the same way."""

PAPER_METHODS = tuple(method for method in FIXED_METHODS if method is not Method.STAGED)
"""The methods that the paper compares."""

METHOD_DESCRIPTIONS = {
    Method.AUTO: "whole frames, and stolen tiles while few frames are under way and tiles are faster",
    Method.WHOLE: "every frame whole, on one device; idle devices steal whole frames",
    Method.STAGED: "fused tiles in stages, borders exchanged between them; the gateway assigns them",
    Method.BODP: "MoDNN: rows biased by speed, exchanged behind every layer; the gateway shares them out",
    Method.WSH: "fused tiles; the gateway collects them and shares them out",
    Method.WST: "fused tiles; idle devices steal them",
    Method.WST_S: "fused tiles, stolen, in an order in which overlaps are computed once and reused",
}


def stages_of(
    method: Method, network: Network, cut: Sequence[str], grid: Grid, shares: Sequence[float] = ()
) -> tuple[Stage, ...]:
    """Return the stages of a method up to `cut`. `shares` are the speeds of the devices whose rows are fitted to them.

    Raises CutError, and ConfigurationError for a grid that does not fit the method or the maps.
    """
    match method:
        case Method.WHOLE:
            return (partition(network, cut, Grid(1, 1)),)
        case Method.AUTO:
            return stages_of(Method.WST, network, cut, grid)
        case Method.STAGED:
            return _in_stages(network, cut, grid, shares)
        case Method.BODP:
            return _layer_by_layer(network, cut, grid, shares)
        case Method.WST_S:
            return (_with_reuse(network, cut, grid),)
        case _:
            return (partition(network, cut, grid, balanced=True),)


def _with_reuse(network: Network, cut: Sequence[str], grid: Grid) -> Stage:
    """Return the faster one of two divisions, over all usual clusters: even, or balanced as if nothing were reused."""
    divisions = [with_reuse(network, partition(network, cut, grid, balanced=balanced)) for balanced in (False, True)]
    return min(divisions, key=lambda stage: prod(longest_chain(stage, devices) for devices in USUAL_DEVICES))


def _in_stages(network: Network, cut: Sequence[str], grid: Grid, shares: Sequence[float]) -> tuple[Stage, ...]:
    """Return the stages in which a frame alone is predicted to end soonest; rows and columns are divided evenly."""
    fitted = shares if min(grid.rows, grid.columns) == 1 else ()
    return chained_stages(network, choose_stages(network, cut, grid, fitted), grid, fitted)


def _layer_by_layer(network: Network, cut: Sequence[str], grid: Grid, shares: Sequence[float]) -> tuple[Stage, ...]:
    """Return a stage for every layer. Source: MoDNN (Mao et al., DATE 2017), biased one-dimensional partition."""
    if min(grid.rows, grid.columns) > 1:
        raise ConfigurationError(f"method {Method.BODP} divides along one axis, not into {grid}; write {grid.count}x1")
    return chained_stages(network, layer_cuts(network, cut), grid, shares)


def chained_stages(
    network: Network, cuts: Sequence[Sequence[str]], grid: Grid, shares: Sequence[float] = ()
) -> tuple[Stage, ...]:
    """Return stages that end at these cuts, each reading what the one before has made."""
    before: list[Sequence[str]] = [(), *cuts[:-1]]
    return tuple(
        partition(network, behind, grid, after=after, shares=shares) for after, behind in zip(before, cuts, strict=True)
    )
