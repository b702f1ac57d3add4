"""`deepthings camera shot` with cameras that answer, refuse and hang; and on an edge, which has no YAML."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from tests.cameras import LOGIN, UNSEEN, web_camera
from tests.commands import run

PAGE = Path(__file__).parents[2] / "docs/zones.md"


def python(script, *arguments, cwd):
    """The console script in a process that is prepared by a script."""
    code = f"import sys\n{script}\nsys.argv = ['deepthings', *{arguments!r}]\nfrom shared.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


@pytest.mark.parametrize("path", ["stream", "picture"])
def test_a_camera_on_the_network_is_photographed(tmp_path, path):
    with web_camera() as camera:
        done = run("camera", "shot", "--source", f"http://{camera.address}/{path}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / "shot.jpg")) is not None


def test_a_wrong_password_is_told_and_not_shown(tmp_path):
    (tmp_path / "deepthings.yaml").write_text("cameras: {door: {source: '${DOOR}'}}")
    with web_camera("--login", "me:other") as camera:
        done = run("camera", "shot", "door", cwd=tmp_path, DOOR=f"http://{LOGIN}@{camera.address}/picture")
    assert done.returncode == 1
    assert done.stderr == "Error: camera door: wrong password\n"
    assert UNSEEN not in done.stdout + done.stderr


def test_what_hangs_in_a_driver_ends_with_the_process(tmp_path):
    """A named pipe that nobody writes into is opened for ever. It is waited for 20 s; here 1 s."""
    os.mkfifo(tmp_path / "video.mp4")
    shorter = (
        "from functools import partial\nfrom gateway.commands import camera_shot\n"
        "camera_shot.first_pictures = partial(camera_shot.first_pictures, within_s=1)"
    )
    begun = time.monotonic()
    done = python(shorter, "camera", "shot", "--source", str(tmp_path / "video.mp4"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: camera source {tmp_path}/video.mp4: no picture within 1 s\n"
    assert time.monotonic() - begun < 20


NO_GATEWAY = "for name in ('yaml', 'httpx', 'rich', 'onnx'):\n    sys.modules[name] = None"
"""What an edge does not install, or has in other processes only."""


def test_an_edge_photographs_its_own_camera(tmp_path):
    done = python(NO_GATEWAY, "camera", "shot", "--source", "test://64x48?fps=5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "deepthings.yaml").write_text("cameras: {}")
    done = python(NO_GATEWAY, "camera", "shot", "door", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'deepthings[gateway]', or take the picture with --source" in done.stderr


def test_an_edge_tells_how_the_cluster_is(tmp_path):
    done = python(NO_GATEWAY, "status", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_command_for_another_device_works_as_the_page_says(tmp_path):
    (line,) = [line[2:] for line in PAGE.read_text().splitlines() if line.startswith("$ deepthings")]
    words = [word.replace("/dev/video0", "test://64x48?fps=5") for word in shlex.split(line)]
    done = run(*words[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / words[-1]).stat().st_size > 10_000
