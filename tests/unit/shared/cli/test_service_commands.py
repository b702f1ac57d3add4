"""What `deepthings service` says without changing anything: no test here is root's, or needs systemd."""

from __future__ import annotations

import re

import pytest


def exec_start(said):
    (line,) = re.findall(r"^ExecStart=(.*)$", said, re.MULTILINE)
    return line.partition("deepthings ")[2].split()


@pytest.mark.parametrize(
    ("typed", "started"),
    [
        (
            ["edge", "--gateway", "192.168.1.10", "--listen=192.168.1.11"],
            ["--gateway", "192.168.1.10", "--listen", "192.168.1.11"],
        ),
        (["gateway", "-vv", "--port", "1884"], ["--verbose", "--verbose", "--port", "1884"]),
        (
            ["camera", "--source", "rtsp://a/b", "--name", "front", "--edge", "a:1", "--loop"],
            ["--source", "rtsp://a/b", "--name", "front", "--edge", "a:1", "--loop"],
        ),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_options_of_the_role_are_those_of_its_command(deepthings, typed, started, first):
    words = ["--print", *typed] if first else [*typed, "--print"]
    done = deepthings("service", "install", *words)
    assert done.returncode == 0, done.stderr
    assert exec_start(done.stdout) == [typed[0], *started]


def test_a_password_that_others_will_see_is_warned_of_without_being_told(deepthings):
    typed = ["camera", "--source", "rtsp://u:hunter2@a/b", "--name", "front", "--edge", "a:1"]
    done = deepthings("service", "install", *typed, "--print")
    assert "belongs in the gateway's configuration" in done.stderr
    assert "hunter2" not in done.stderr


def test_files_of_this_folder_are_found_from_every_other(deepthings, tmp_path):
    (tmp_path / "home.yaml").write_text("cameras: {}")
    (tmp_path / "mine.onnx").write_text("")
    done = deepthings(
        "service", "install", "gateway", "--config", "home.yaml", "--model", "mine.onnx", "--print", "--user", "root"
    )
    assert exec_start(done.stdout) == [
        "gateway", "--config", f"{tmp_path}/home.yaml", "--model", f"{tmp_path}/mine.onnx",
    ]  # fmt: skip
    assert f"WorkingDirectory=-{tmp_path}" in done.stdout


def test_a_name_that_is_also_a_folder_is_still_a_name(deepthings, tmp_path):
    (tmp_path / "shed").mkdir()
    assert exec_start(deepthings("service", "install", "edge", "--name", "shed", "--print").stdout)[-1] == "shed"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["edge", "--threads", "0"], "'--threads': 0 is not in the range"),
        (["edge", "--colour", "red"], "No such option '--colour'"),
        (["edge", "--gateway"], "requires an argument"),
        (["edge", "--name", "Front Door"], "write lower-case letters"),
        (["gateway", "--config", "none.yaml"], "does not exist"),
        (["camera", "--name", "a", "--source", "test://"], "Missing option '--edge'"),
        (["camera", "--name", "a", "--edge", "a:1"], "--source is missing"),
        (["camera", "--name", "a", "--edge", "a:1", "--settings", "-"], "no standard input"),
        (["camera", "--name", "a", "--edge", "a:1", "--source", "x", "--frames", "3"], "leave --frames out"),
        (["watch"], "is not one of"),
        ([], "Missing argument"),
    ],
)
def test_what_the_command_would_refuse_is_refused_before_anything_is_written(deepthings, typed, words):
    done = deepthings("service", "install", *typed, "--print")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["camera"], "--name is required for a camera"),
        (["edge", "--name", "a"], "--name is required for a camera, and is only for cameras"),
    ],
)
def test_a_camera_is_removed_by_its_name(deepthings, typed, words):
    done = deepthings("service", "uninstall", *typed)
    assert done.returncode == 2
    assert words in done.stderr
