"""The example of a package with a camera source, docs/examples/camera-source, is installed and used as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from camera_sources.open_source import open_source
from camera_sources.source import LiveSource
from shared.errors import ConfigurationError
from tests.commands import run

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "camera-source"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which pip has installed the package, without a network."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("package") / "camera-source")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    words = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(folder), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_its_address_is_opened_and_shows_the_time(installed, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    source = open_source("clock://320x180")
    assert isinstance(source, LiveSource)
    with closing(source.grabs()) as grabs:
        first, second = next(grabs), next(grabs)
        assert second.captured_at > first.captured_at
        picture = second.decode()
    assert picture.shape == (180, 320, 3)
    assert (picture.min(), picture.max()) == (90, 255), "white letters before grey"
    with pytest.raises(ConfigurationError, match="write for example clock://640x360"):
        open_source("clock://kitchen")


def test_commands_know_it_where_it_is_installed(installed, tmp_path):
    file, picture = str(tmp_path / "clock.yaml"), str(tmp_path / "clock.jpg")
    Path(file).write_text("cameras: {hall: {source: 'clock://320x180'}}")
    elsewhere, here = run("check-config", file), run("check-config", file, PYTHONPATH=str(installed))
    assert (elsewhere.returncode, here.returncode) == (0, 0)
    assert "clock://" in elsewhere.stderr
    assert here.stderr == ""
    words = ("camera", "shot", "hall", "--config", file, "--output", picture)
    refused, shot = run(*words), run(*words, PYTHONPATH=str(installed))
    assert refused.returncode == 2
    assert (shot.returncode, shot.stderr) == (0, "")
    height, width, _ = cv2.imread(picture).shape
    assert (width, height) == (960, 540), "the camera's picture, enlarged to read corners from"
