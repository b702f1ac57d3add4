from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shared.engine import lane_choice, lane_trial, sessions
from shared.engine.lane_choice import choose_lanes
from shared.engine.lane_trial import LANE_ROUNDS, LaneReading, LaneTrial, decode_readings, measure_lanes
from shared.engine.lanes import ONE_LANE, MeasuredLanes, TileLanes
from shared.engine.opening import TileKinds, open_engine
from shared.engine.preparing import prepare_program
from shared.engine.program_manifest import MANIFEST_FILE
from shared.engine.sessions import PreparedEngine, open_session, read_manifest
from shared.ftp.grid import Grid
from tests.networks import ModelBuilder
from tests.unit.shared.engine.running import build_stage, random_pixels

ROOT = Path(__file__).parents[4]

TWO_SIDE_BY_SIDE = {TileLanes(1, 2): LaneReading(10, 1.0, 1.9), TileLanes(2, 1): LaneReading(15, 1.0, 2.0)}


@pytest.fixture(scope="module")
def stage_and_program():
    build = ModelBuilder(48, 48)
    tensor = "image"
    for filters in (16, 32, 32):
        tensor = build.layer("LeakyRelu", build.conv(tensor, filters, 3, pads=[1] * 4), alpha=0.1)
    return build_stage(build.model(tensor), [tensor], Grid(2, 2))


@pytest.fixture
def folder(stage_and_program, tmp_path):
    stage, program = stage_and_program
    (tmp_path / "program.onnx").write_bytes(program)
    prepare_program(tmp_path / "program.onnx", kinds_of(stage).forms, tmp_path / "prepared")
    return tmp_path / "prepared"


def kinds_of(stage):
    return TileKinds.from_forms(stage.forms, 10**5)


@pytest.fixture
def measured(monkeypatch):
    """Return the trials that were asked for, each answered by TWO_SIDE_BY_SIDE."""
    trials = []

    async def measure(trial):
        trials.append(trial)
        return {
            TileLanes(1, trial.candidates[0].threads): LaneReading(10, 1.0, 1.0),
            TileLanes(2, 1): LaneReading(15, 1.0, 1.8),
        }

    monkeypatch.setattr(lane_choice, "_measure", measure)
    return trials


async def test_one_core_is_not_measured(folder, stage_and_program, measured):
    largest = kinds_of(stage_and_program[0]).largest
    assert await choose_lanes(folder, largest, 10**5, 1) == ONE_LANE
    assert measured == []


async def test_lanes_are_measured_once_for_each_number_of_cores(folder, stage_and_program, measured):
    largest = kinds_of(stage_and_program[0]).largest
    for cores in (2, 2, 4, 2, 4):
        assert await choose_lanes(folder, largest, 10**5, cores) == TileLanes(2, 1)
    assert [trial.candidates[0].threads for trial in measured] == [2, 4]
    assert [each.cores for each in read_manifest(folder).lanes] == [4, 2]


@pytest.mark.usefixtures("measured")
async def test_the_number_of_noted_measurements_is_limited(folder, stage_and_program):
    largest = kinds_of(stage_and_program[0]).largest
    for cores in range(2, 14):
        await choose_lanes(folder, largest, 10**5, cores)
    assert [each.cores for each in read_manifest(folder).lanes] == list(range(13, 5, -1))


async def test_a_disturbed_measurement_counts_once_and_is_not_noted(folder, stage_and_program, monkeypatch, caplog):
    async def measure(_trial):
        return {TileLanes(1, 2): LaneReading(10, 1.0, 0.9), TileLanes(2, 1): LaneReading(15, 1.0, 1.5)}

    monkeypatch.setattr(lane_choice, "_measure", measure)
    with caplog.at_level("INFO"):
        assert await choose_lanes(folder, kinds_of(stage_and_program[0]).largest, 10**5, 2) == TileLanes(2, 1)
    assert read_manifest(folder).lanes == ()
    assert "measured again next time" in caplog.text


async def test_where_memory_is_short_nothing_is_measured_or_noted(folder, stage_and_program, measured, monkeypatch):
    monkeypatch.setattr(lane_choice, "free_memory", lambda: 10**5)
    largest = kinds_of(stage_and_program[0]).largest
    assert await choose_lanes(folder, largest, 10**5, 4) == TileLanes(1, 4)
    assert (measured, read_manifest(folder).lanes) == ([], ())


async def test_a_damaged_manifest_is_left_to_the_repair(folder, stage_and_program, measured):
    (folder / MANIFEST_FILE).write_text("{}")
    assert await choose_lanes(folder, kinds_of(stage_and_program[0]).largest, 10**5, 4) == TileLanes(1, 4)
    assert measured == []


async def test_a_trial_that_fails_leaves_all_cores_to_one_tile_and_is_tried_again(
    folder, stage_and_program, monkeypatch, caplog
):
    monkeypatch.setattr(LaneTrial, "to_json", lambda _: "nonsense")
    assert await choose_lanes(folder, kinds_of(stage_and_program[0]).largest, 10**5, 2) == TileLanes(1, 2)
    assert "could not be measured" in caplog.text
    assert read_manifest(folder).lanes == ()


async def test_a_trial_that_hangs_is_killed(folder, stage_and_program, monkeypatch):
    monkeypatch.setattr(lane_choice, "LANE_TRIAL_TIMEOUT_S", 0.2)
    assert await choose_lanes(folder, kinds_of(stage_and_program[0]).largest, 10**5, 2) == TileLanes(1, 2)


def test_a_trial_measures_all_candidates_in_turns(folder, stage_and_program):
    trial = LaneTrial(
        folder, kinds_of(stage_and_program[0]).largest, 10**5, (TileLanes(1, 3), TileLanes(3, 1), TileLanes(1, 1))
    )
    assert LaneTrial.from_json(trial.to_json()) == trial
    readings = measure_lanes(trial, round_s=0.01)
    assert list(readings) == list(trial.candidates)
    assert readings[TileLanes(3, 1)].tiles >= 3 * LANE_ROUNDS
    for reading in readings.values():
        assert min(reading.rate, reading.cpu_s) > 0
        assert reading.wall_s >= LANE_ROUNDS * 0.01


@pytest.mark.parametrize("text", ["", "{}", "[[1]]", '[["a", 1, 2, 3, 4]]', "[[1, 2, 3, 4, 5, 6]]", "7"])
def test_readings_that_are_none_are_refused(text):
    with pytest.raises((ValueError, TypeError)):
        lane_choice.best_lanes({lanes: reading.rate for lanes, reading in decode_readings(text).items()})


async def test_the_process_of_a_trial_prints_readings(folder, stage_and_program, monkeypatch, capsys):
    trial = LaneTrial(folder, kinds_of(stage_and_program[0]).largest, 10**5, (TileLanes(1, 2), TileLanes(2, 1)))
    monkeypatch.setattr(lane_trial, "measure_lanes", lambda _: TWO_SIDE_BY_SIDE)
    monkeypatch.setattr(lane_trial.sys, "stdin", type("Input", (), {"read": trial.to_json}))
    lane_trial.main()
    assert decode_readings(capsys.readouterr().out) == TWO_SIDE_BY_SIDE


async def test_an_edge_opens_its_engine_with_the_best_lanes(stage_and_program, tmp_path, monkeypatch):
    monkeypatch.setattr(lane_choice, "best_lanes", max)
    stage, program = stage_and_program
    (tmp_path / "program.onnx").write_bytes(program)
    engine = await open_engine(tmp_path / "program.onnx", kinds_of(stage), tmp_path, 2)
    assert (engine.name, engine.lanes) == ("prepared", TileLanes(2, 1))
    given = await open_engine(tmp_path / "program.onnx", kinds_of(stage), tmp_path, 2, lanes=TileLanes(1, 2))
    assert given.lanes == TileLanes(1, 2)


def test_tiles_side_by_side_have_the_same_bits_as_one_after_the_other(folder, stage_and_program):
    stage, pixels = stage_and_program[0], random_pixels(48, 48)
    engine = PreparedEngine(folder, read_manifest(folder), TileLanes(4, 1))
    tiles = [(tile.form, pixels[tile.inputs[0].slices]) for tile in stage.tiles] * 8
    alone = [engine.run(form, [part])[0][0] for form, part in tiles]
    begin = threading.Barrier(4)

    def lane(number):
        begin.wait()
        return [engine.run(form, [part])[0][0] for form, part in tiles[number::4]]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lane, range(4)))
    for number, maps in enumerate(found):
        for made, expected in zip(maps, alone[number::4], strict=True):
            np.testing.assert_array_equal(made, expected)


class SessionOfTiles:
    """In the place of a session; it is none of a whole network."""

    @staticmethod
    def get_modelmeta():
        return SimpleNamespace(custom_metadata_map={})


def test_sessions_of_several_lanes_share_their_weights(folder, monkeypatch):
    opened = []
    monkeypatch.setattr(sessions, "open_session", lambda *_: opened.append(_) or SessionOfTiles())
    manifest = read_manifest(folder)
    PreparedEngine(folder, manifest, TileLanes(4, 2))
    # Of each kind one session for tiles side by side, and one with all threads for a tile alone.
    assert Counter(arguments[1] for arguments in opened) == {2: len(manifest.kinds), 8: len(manifest.kinds)}
    assert len({id(value) for *_, shared in opened for value in shared.values()}) <= 6


def test_no_session_spins_while_it_waits():
    build = ModelBuilder(8, 8)
    session = open_session(build.model(build.conv("image", 4, 3)).SerializeToString(), 2)
    assert session.get_session_options().get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_all_sessions_that_compute_for_the_cluster_are_opened_by_the_function_that_forbids_spinning():
    opens = re.compile(r"\bInferenceSession\(")
    folders = ("shared", "edge", "gateway", "camera_sources")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if opens.search(path.read_text())
    }
    # Measuring opens one as a reference, as onnxruntime makes it; it has one thread, and no other to wait for.
    assert found <= {"shared/engine/sessions.py", "shared/engine/measuring.py"}
    assert "shared/engine/sessions.py" in found


async def test_a_trial_that_is_cancelled_ends_its_process(folder, stage_and_program):
    choosing = asyncio.create_task(choose_lanes(folder, kinds_of(stage_and_program[0]).largest, 10**5, 2))
    await asyncio.sleep(0)
    choosing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await choosing
    assert read_manifest(folder).lanes == ()


def test_measurements_are_kept_in_the_manifest(folder):
    manifest = read_manifest(folder)
    noted = type(manifest)(manifest.kinds, manifest.files, "", (MeasuredLanes(4, 100, TileLanes(2, 2)),))
    assert type(manifest).decode(noted.encode()) == noted
