from __future__ import annotations

import os
import time

import pytest

from gateway.observation.scene_store import SCENES_FILE, SceneStore
from gateway.state.state_folder import StateFolder
from tests.unit.gateway.observation.scene.filming import Camera, person


def kept(*, away_s=0.0):
    gate = Camera()
    gate.film(person(100), frames=5)
    return gate.scene.to_keep(gate.now()).model_copy(update={"away_s": away_s})


def aged(folder, seconds):
    """As though it was written so long ago."""
    then = time.time() - seconds
    os.utime(folder / SCENES_FILE, (then, then))


def test_what_is_remembered_is_taken_once_by_the_next_run(tmp_path):
    memory = SceneStore(StateFolder(tmp_path))
    assert memory.cameras == ()
    scene = kept()
    memory.remember_scene("gate", scene, away=False)
    memory.write()
    aged(tmp_path, 30)
    after = SceneStore(StateFolder(tmp_path))
    assert after.cameras == ("gate",)
    taken = after.take_scene("gate")
    assert taken.objects == scene.objects
    assert taken.away_s == pytest.approx(30, abs=2)
    assert after.take_scene("gate") is None


def test_a_camera_that_was_away_before_is_so_for_longer(tmp_path):
    memory = SceneStore(StateFolder(tmp_path))
    memory.remember_scene("gate", kept(away_s=40), away=True)
    memory.write()
    assert SceneStore(StateFolder(tmp_path)).take_scene("gate").away_s == pytest.approx(40, abs=2)


def test_a_scene_with_nothing_open_is_not_kept(tmp_path):
    memory = SceneStore(StateFolder(tmp_path))
    memory.remember_scene("gate", kept(), away=False)
    memory.remember_scene("gate", Camera().scene.to_keep(0.0), away=False)
    memory.write()
    assert SceneStore(StateFolder(tmp_path)).cameras == ()


def test_while_something_is_there_the_file_tells_that_the_gateway_is_too(tmp_path, monkeypatch):
    memory = SceneStore(StateFolder(tmp_path))
    memory.remember_scene("gate", kept(), away=False)
    memory.write()
    aged(tmp_path, 300)
    later = time.monotonic() + 60
    monkeypatch.setattr("gateway.observation.scene_store.time.monotonic", lambda: later)
    memory.touch()
    assert SceneStore(StateFolder(tmp_path)).take_scene("gate").away_s < 60


def test_damaged_ones_are_said_and_forgotten(tmp_path, caplog):
    (tmp_path / SCENES_FILE).write_text('{"gate": {"scene": {"objects": [{}]}}}')
    assert SceneStore(StateFolder(tmp_path)).cameras == ()
    assert "will have no end" in caplog.text


def later(monkeypatch, seconds):
    now = time.monotonic() + seconds
    monkeypatch.setattr("gateway.observation.scene_store.time.monotonic", lambda: now)


def test_what_somebody_has_removed_is_written_again_though_nothing_moves(tmp_path, monkeypatch):
    memory = SceneStore(StateFolder(tmp_path))
    memory.remember_scene("gate", kept(), away=False)
    memory.write()
    (tmp_path / SCENES_FILE).unlink()
    later(monkeypatch, 60)
    assert not memory.is_due(moving=False)
    memory.touch()
    later(monkeypatch, 120)
    assert memory.is_due(moving=False)


def test_what_could_not_be_written_is_tried_again_and_what_is_old_is_not_said_to_hold(tmp_path, monkeypatch):
    memory = SceneStore(StateFolder(tmp_path))
    memory.remember_scene("gate", Camera().scene.to_keep(0.0), away=False)
    memory.write()
    aged(tmp_path, 300)
    memory.remember_scene("gate", kept(), away=False)
    monkeypatch.setattr("gateway.state.state_file.write_whole", full)
    memory.write()
    later(monkeypatch, 60)
    memory.touch()
    assert time.time() - (tmp_path / SCENES_FILE).stat().st_mtime > 200
    assert memory.is_due(moving=False)


def full(*_, **__):
    raise OSError(28, "No space left on device")
