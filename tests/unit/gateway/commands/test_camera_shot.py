from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest

from camera_sources.source import FOOTAGE
from gateway.configuration.reading.configuration_file import parse_configuration

ROOT = Path(__file__).parents[4]

HOME = f"""
cameras:
  street:
    source: {FOOTAGE}
    zones:
      crossing: {{coordinates: "0.3,0.3, 0.9,0.3, 0.9,0.9"}}
    motion: {{mask: "0,0, 1,0, 1,0.1"}}
  turned: {{source: {FOOTAGE}, rotate: 90, crop: "0,0,0.5,1"}}
  workshop: {{source: /dev/video97, rotate: 180, crop: "0,0.2,1,1", edge: workshop}}
  attic: {{source: /videos/attic.mp4}}
"""


@pytest.fixture
def shot(deepthings, tmp_path):
    """Runs `deepthings camera shot` in a folder with a configuration."""
    (tmp_path / "deepthings.yaml").write_text(HOME)
    return lambda *arguments: deepthings("camera", "shot", *arguments)


def test_a_camera_of_the_configuration_is_drawn_with_its_zones(shot, tmp_path):
    done = shot("street")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, *_ = done.stdout.splitlines()
    assert first == "street.jpg: a picture of 768x576 pixels with a grid of tenths"
    assert second == "drawn in it: zone crossing, a mask of motion"
    assert cv2.imread(str(tmp_path / "street.jpg")).shape == (1152, 1536, 3)


def test_the_example_that_is_printed_is_a_configuration(shot, tmp_path):
    _, _, example = shot("street").stdout.partition("\n\nRead the corners")
    file = tmp_path / "example.yaml"
    file.write_text(example[example.index("cameras:") :].replace("    zones:", "    source: test://\n    zones:"))
    assert list(parse_configuration(file).require_valid().cameras["street"].zones) == ["yard"]


def test_the_picture_is_what_frames_are(shot):
    told = json.loads(shot("turned", "--json", "--output", "a.png").stdout)
    assert told == {"file": "a.png", "width": 288, "height": 768, "zones": [], "masks": []}


def test_a_source_needs_no_configuration(shot, tmp_path):
    (tmp_path / "deepthings.yaml").unlink()
    done = shot("--source", "test://64x48?fps=5", "--rotate", "90", "--crop", "0,0,1,0.5")
    assert done.stdout.startswith("shot.jpg: a picture of 48x32 pixels")
    assert "front_door:" in done.stdout
    assert (tmp_path / "shot.jpg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stret"], "camera 'stret' not found in deepthings.yaml; did you mean 'street'?"),
        (["street", "--config", "no.yaml"], "configuration no.yaml not found; name it with --config"),
        (["street", "--output", "a.gif"], "a.gif: invalid name of a picture; it must end in .jpg or .png"),
        ([], "write either the name of a camera"),
        (["street", "--source", "test://"], "write either the name of a camera"),
        (["street", "--rotate", "90"], "--rotate and --crop need --source"),
        (["--source", "test://", "--crop", "0,1"], "write left, top, right, bottom, for example 0,0.2,1,1"),
        (["--source", "test://", "--rotate", "45"], "'45' is not one of"),
        (["--source", "ftp://me:s3cr3t@x"], "camera source ftp://... is not supported"),
        (["Front Door"], "write lower-case letters"),
    ],
)
def test_bad_usage_and_configuration_end_with_two(shot, tmp_path, arguments, words):
    done = shot(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "s3cr3t" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["deepthings.yaml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["workshop"],
            "camera workshop: /dev/video97 not found on this device; run it on the device of edge workshop: deepthings "
            "camera shot --source /dev/video97 --rotate 180 --crop 0,0.2,1,1\n",
        ),
        (["attic"], "on the device that has it: deepthings camera shot --source /videos/attic.mp4\n"),
        (["--source", "/no/where"], "Error: camera source /no/where does not exist"),
        (["--source", "/dev/video97"], "camera source /dev/video97: not reachable: /dev/video97 does not exist"),
        (["street", "--output", "/proc/a.jpg"], "/proc/a.jpg cannot be written"),
    ],
)
def test_what_cannot_be_had_ends_with_one(shot, arguments, words):
    done = shot(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_mistake_in_the_configuration_is_told_with_its_line(shot, tmp_path):
    (tmp_path / "deepthings.yaml").write_text("cameras:\n  street: {source: test://, zons: {}}\n")
    done = shot("street")
    assert done.returncode == 2
    assert "deepthings.yaml:2: cameras.street.zons: unknown key; did you mean 'zones'?" in done.stderr


def test_feeding_a_camera_is_the_command_that_it_was(deepthings):
    told = deepthings("camera", "--help").stdout
    assert "--edge" in told
    assert "deepthings camera shot" in told
    missing = deepthings("camera", "--source", "test://")
    assert missing.returncode == 2
    assert "Missing option '--name'" in missing.stderr
    unknown = deepthings("camera", "sing", "--source", "test://", "--name", "c", "--edge", "h:1")
    assert unknown.returncode == 2


def test_the_page_about_zones_shows_what_is_printed(shot, tmp_path):
    (block,) = re.findall(r"```text\n(.*?)```", (ROOT / "docs/zones.md").read_text(), re.DOTALL)
    (tmp_path / "camera_sources").symlink_to(ROOT / "camera_sources")
    assert shot("street", "--config", str(ROOT / "docs/examples/street.yaml")).stdout == block
