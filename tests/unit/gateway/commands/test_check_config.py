from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from gateway.configuration.schema import configuration_schema
from shared.cli import main
from tests.networks import detector_of

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture
def check(monkeypatch, capsys, tmp_path):
    """Runs the command in a folder with the worked example; returns exit code, output, errors."""
    shutil.copytree(DOCS / "examples" / "home", tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "secrets.yaml.example", tmp_path / "secrets.yaml")
    (tmp_path / "secrets.yaml").chmod(0o600)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["deepthings", "check-config", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def bad(text):
    Path("bad.yaml").write_text(text)
    return "bad.yaml"


def test_what_is_configured_is_told_in_short(check):
    code, out, err = check("deepthings.yaml")
    assert (code, err) == (0, "")
    assert (
        out
        == """\
model     nanodet-g, method auto
broker    homeassistant.local, port 1883, topics below deepthings/
cameras   3
  front_door  rtsp to hall; follows person, car, dog, cat; zones porch, street
  garden      http to any edge; follows person, dog, cat; zones pond
  workshop    path to workshop; follows person
on        Home Assistant, 1 webhook
"""
    )


def test_a_camera_that_sends_all_is_told(check):
    front = "{source: test://, fps: all, motion: {enabled: off}}"
    text = f"cameras: {{front: {front}, back: {{source: test://, fps: 2}}}}"
    _, out, _ = check(bad(text))
    assert "  front  test to any edge; follows person; all frames; no motion gate\n" in out
    assert "  back   test to any edge; follows person\n" in out
    _, out, _ = check(bad(text), "--json")
    told = json.loads(out)["summary"]["cameras"]
    assert {name: (camera["fps"], camera["motion"]) for name, camera in told.items()} == {
        "front": (None, False), "back": (2, True),
    }  # fmt: skip


def test_what_is_switched_off_is_told(check):
    text = """\
mqtt: {port: 1884}
cluster: {method: whole, grid: 1x1}
cameras: {front: {source: clip.mp4, enabled: off, detect: {enabled: off}, objects: {track: []}}}
home_assistant: {enabled: off}
"""
    code, out, _ = check(bad(text))
    assert code == 0
    assert out.splitlines() == [
        "model     nanodet-g, method whole, grid 1x1",
        "broker    its own, port 1884, topics below deepthings/",
        "cameras   1",
        "  front  path to any edge; follows nothing; disabled; detect off",
        "on        nothing but MQTT",
    ]


def test_mistakes_are_lines_that_an_editor_can_follow(check):
    code, out, err = check(bad("mqtt: {prt: 1}\nobjects: {track: persn}\n"))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "Warning: bad.yaml:1: cameras: there are no cameras; write their names below it",
        "bad.yaml:1: mqtt.prt: unknown key; did you mean 'port'?",
        "bad.yaml:2: objects.track[0]: the model has no label 'persn'; did you mean 'person'?",
    ]


def test_json_has_the_same(check):
    code, out, err = check(bad("mqtt: {prt: 1}"), "--json")
    assert (code, err) == (2, "")
    told = json.loads(out)
    assert (told["valid"], told["summary"], len(told["warnings"])) == (False, None, 1)
    assert told["problems"] == [
        {"file": "bad.yaml", "line": 1, "path": "mqtt.prt", "what": "unknown key", "right": "did you mean 'port'?"}
    ]
    code, out, _ = check("deepthings.yaml", "--json")
    told = json.loads(out)
    assert (code, told["valid"], told["problems"]) == (0, True, [])
    assert told["summary"]["cameras"]["garden"]["zones"] == ["pond"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model:\n  path: nanodet", "bad.yaml:2: model.path: unknown model 'nanodet'"),
        ("model: {path: none.onnx}", "bad.yaml:1: model.path: model none.onnx cannot be read"),
        ("model: {weights: w.weights}", "bad.yaml:1: model.path: --weights w.weights: model nanodet-g has its own"),
        ("model: {path: !secret front_door_url}", "bad.yaml:1: model.path: the value of ${...} or !secret is invalid"),
    ],
)
def test_a_model_that_cannot_be_opened_is_a_mistake(check, text, expected):
    code, _, err = check(bad(text))
    assert code == 2
    assert expected in err
    assert "change-me" not in err


def test_a_model_with_which_nothing_can_be_detected_is_a_mistake(check):
    Path("poses.onnx").write_bytes(detector_of({"output0": [[[1.0]]]}, metadata={"task": "pose"}).SerializeToString())
    code, _, err = check(bad("model: {path: poses.onnx}"))
    assert code == 2
    assert "bad.yaml:1: model.path: model poses: the file says that it finds poses" in err


def test_labels_are_not_checked_against_a_model_that_is_not_known(check):
    code, _, err = check(bad("model: {path: 5}\nobjects: {track: unheard}"))
    assert code == 2
    assert "unheard" not in err


def test_the_schema_needs_no_file(check):
    code, out, _ = check("--schema")
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(configuration_schema())))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], "name the configuration file"), (["none.yaml"], "none.yaml:1: cannot be read: no such")],
)
def test_no_file_is_bad_usage(check, arguments, expected):
    code, out, err = check(*arguments)
    assert (code, out) == (2, "")
    assert expected in err


def test_the_commands_of_the_page_work(check):
    lines = re.findall(r"^\$ deepthings check-config (.*)$", (DOCS / "configuration.md").read_text(), re.MULTILINE)
    assert lines
    for line in lines:
        if "--connect" in line:
            continue  # that tries brokers and cameras: tests/integration/test_check_config_connect.py
        code, out, _ = check(*shlex.split(line))
        assert (code, bool(out)) == (0, True)
