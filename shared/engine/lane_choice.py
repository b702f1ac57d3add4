"""Choose the lanes of a prepared program: the ones in its manifest, else newly measured ones, which are added to it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.engine.lane_trial import LaneReading, LaneTrial, decode_readings, is_undisturbed
from shared.engine.lanes import MeasuredLanes, TileLanes, best_lanes, candidate_lanes
from shared.engine.program_manifest import MANIFEST_FILE
from shared.engine.sessions import read_manifest
from shared.errors import DamageError
from shared.files.whole_file import write_whole
from shared.process.children import run_module
from shared.process.usable_memory import free_memory
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.ftp.stage import Form

log = logging.getLogger(__name__)

LANE_TRIAL_TIMEOUT_S = 120.0
"""Timeout for all candidates together; a Raspberry Pi of four cores needs about ten seconds."""

MEASURED_LANES_KEPT = 8
"""Measurements that a manifest keeps: for the cores with and without cameras, and for a few earlier limits."""


async def choose_lanes(folder: Path, form: Form, working_bytes: int, cores: int) -> TileLanes:
    """Return the best lanes on `cores` cores for the prepared program in `folder` and the `form` of its largest tile.

    A single core needs no measurement. If measuring fails, all cores compute one tile at a time. The result is not kept
    then, nor when other programs disturbed the measurement: the next start measures again.
    """
    try:
        manifest = read_manifest(folder)
    except DamageError:
        return TileLanes(1, cores)  # the caller reads the manifest, too, and prepares the program again
    if cores == 1 or manifest.refused:
        return TileLanes(1, cores)
    known = tuple(measured.lanes for measured in manifest.lanes if measured.applies_to(cores, form.cells))
    candidates = known[:1] or candidate_lanes(cores, working_bytes, free_memory())
    if len(candidates) == 1:  # it was measured before, or there is no memory for more lanes
        return candidates[0]
    log.info("measuring whether tiles run better side by side or in %s threads each", cores)
    readings = await _measure(LaneTrial(folder, form, working_bytes, candidates))
    if not readings:
        return TileLanes(1, cores)
    chosen = best_lanes({lanes: reading.rate for lanes, reading in readings.items()})
    log.info("tiles x threads that serve best here: %s, %.1f tiles/s", chosen, readings[chosen].rate)
    if not is_undisturbed(readings):
        log.info("this device was busy with other programs meanwhile; it is measured again next time")
        return chosen
    kept = (MeasuredLanes(cores, form.cells, chosen), *manifest.lanes)[:MEASURED_LANES_KEPT]
    try:
        write_whole(folder / MANIFEST_FILE, replace(manifest, lanes=kept).encode(), durable=False, mode=None)
    except OSError as error:
        log.warning("%s cannot be written: %s", folder / MANIFEST_FILE, system_reason(error))
    return chosen


async def _measure(trial: LaneTrial) -> Mapping[TileLanes, LaneReading]:
    """Return the readings of a child process; empty when it fails. The process is killed when this is cancelled."""
    try:
        printed = await run_module("shared.engine.lane_trial", trial.to_json(), LANE_TRIAL_TIMEOUT_S)
        readings = decode_readings(printed)
    except (TimeoutError, ValueError, TypeError):
        log.warning("the best number of tiles side by side could not be measured; tiles are computed one at a time")
        return {}
    for lanes, reading in readings.items():
        log.debug("tiles x threads %s: %.1f tiles/s, %.2f cores busy", lanes, reading.rate, reading.busy_cores)
    return readings
