"""The commands of the documentation that need no running cluster, executed as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from benchmarks.scale.scale_command import scale
from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.models.catalogue import DEFAULT_MODEL, MODELS
from shared.cli.command_group import cli
from shared.cli.service_command import uninstall
from shared.process.lifecycle import installed_version
from shared.systemd.unit import SERVICE_ROLES, unit_name
from tests.commands import DEEPTHINGS
from tests.darknet_files import yolov3_tiny
from tests.documents import ALL, DOCUMENTS, LOCAL, ROOT, SERVICES, commands, free_ports, kind_of, running, words_of
from tests.extent import one_in
from tests.terminal import at_terminal


@pytest.fixture
def ports():
    return free_ports()


@pytest.fixture
def workshop(tmp_path):
    """A folder with the files that the documents' user has: a detector as ONNX, one of Darknet's, and pictures."""
    source = MODELS / DEFAULT_MODEL
    shutil.copy(source / f"{DEFAULT_MODEL}.onnx", tmp_path / "mine.onnx")
    description = json.loads((source / f"{DEFAULT_MODEL}.json").read_text()) | {"name": "mine", "file": "mine.onnx"}
    (tmp_path / "mine.json").write_text(json.dumps(description))
    files = yolov3_tiny(tmp_path, size=(416, 416), width=1 / 8, classes=6)
    files.cfg.rename(tmp_path / "yolo.cfg")
    files.weights.rename(tmp_path / "yolo.weights")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for folder in ("camera_sources", "docs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    return tmp_path


@pytest.mark.parametrize("document", one_in(len(DOCUMENTS), DOCUMENTS), ids=lambda path: path.name)
def test_the_commands_without_a_cluster_work(document, workshop):
    """One after the other: some use what an earlier one wrote."""
    for line in commands(document):
        if kind_of(line) not in LOCAL:
            continue
        words = [DEEPTHINGS, *shlex.split(line)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, cwd=workshop)
        assert done.returncode == 0, done.stderr
        assert re.search(LOCAL[kind_of(line)], done.stdout), done.stdout
        for word in words:
            if word.endswith(".png"):
                assert (workshop / word).stat().st_size > 10_000


def test_a_first_configuration_is_made_as_the_documents_say(workshop):
    """By questions where a line has no options; what is made is right."""
    lines = [line for line in ALL if kind_of(line) == "init"]
    assert lines[0] == "deepthings init"
    for line in lines:
        with at_terminal(*shlex.split(line)[1:], cwd=workshop) as person:
            if "--no-input" not in line:
                person.answer("an MQTT broker", "n")
                person.answer("Name of a camera")
                person.answer("Its address:", "camera_sources/footage/vtest-clip.mp4")
                person.until("camera front_door: 768x576")
                for question in ("Write its picture", "Another camera?", "are followed?", "Will other devices"):
                    person.answer(question)
            assert person.end() == 0, person.shown
            assert "Written: " in person.shown
    made = ["deepthings.yaml", "first.yaml"]
    assert sorted(path.name for path in workshop.glob("*.yaml")) == made
    for name in made:
        assert list(parse_configuration(workshop / name).require_valid().cameras) in (["front_door"], ["street"])


@pytest.mark.slow
async def test_a_gateway_takes_the_models_and_methods_of_the_documents(ports, workshop):
    documents = [ROOT / "docs" / name for name in ("models.md", "methods.md")]
    lines = [line for document in documents for line in commands(document) if kind_of(line) == "gateway"]
    assert len(lines) >= 3
    for line in lines:
        async with running(words_of(line, ports), SERVICES["gateway"], workshop):
            pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "side"), [(["--quick"], 160), pytest.param([], 608, marks=pytest.mark.long)], ids=["quick", "whole"]
)
def test_the_benchmark_of_the_documents_prints_its_tables(options, side):
    """As it stands there, which takes a minute of two cores, only when everything is tested."""
    (line,) = [line for line in commands(ROOT / "docs" / "engine.md") if kind_of(line) == "benchmark"]
    words = [sys.executable, *shlex.split(line)[1:], "--rounds", "1", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {"prepared engine, 3x3", "plain engine, 5x5"} <= set(re.findall(r"\w+ engine, \dx\d", done.stdout))
    assert f"first 16 layers at {side}," in done.stdout


@pytest.mark.long  # tests/cluster/test_bench.py runs the same command
def test_the_experiments_of_the_documents_write_their_page(tmp_path):
    """As they stand there, but for one method and device only."""
    lines = {line for line in ALL if kind_of(line) == "scripts/bench"}
    assert len(lines) == 1
    words = [*shlex.split(lines.pop()), "--methods", "ftp-wst-s", "--edges", "1", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "detections of all settings: the same, bit for bit" in done.stdout
    assert (tmp_path / "README.md").read_text().startswith("# The paper's experiments")


COMPARISONS = [line for line in ALL if kind_of(line) == "bench scale"]


def test_the_comparisons_of_the_documents_are_commands():
    assert len(COMPARISONS) == 2
    for line in COMPARISONS:
        assert scale.make_context("scale", shlex.split(line)[3:]).params["rows"]


@pytest.mark.long  # tests/cluster/test_bench_scale.py runs the same command with the same row, and others
@pytest.mark.parametrize("line", COMPARISONS)
def test_the_comparisons_of_the_documents_write_their_page(line, tmp_path):
    """As they stand there, but for one row only."""
    words = [DEEPTHINGS, *shlex.split(line)[1:], "--rows", "cold-start", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "README.md").read_text().startswith("# What a cluster gains over its devices")


@pytest.mark.slow
def test_the_services_of_the_documents_can_be_installed(tmp_path):
    """As far as that changes nothing here: their units are printed."""
    lines = [line.removeprefix("sudo ") for line in ALL if kind_of(line) == "service"]
    installing = [shlex.split(line) for line in lines if line.startswith("deepthings service install")]
    assert {words[3] for words in installing} == set(SERVICE_ROLES)
    (tmp_path / "deepthings.yaml").write_text("cameras: {}")
    for words in installing:
        typed = [word.replace("/etc/deepthings", str(tmp_path)) for word in words[1:] if word != "--print"]
        done = subprocess.run(
            [DEEPTHINGS, *typed, "--print"], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        assert f"ExecStart={DEEPTHINGS} {words[3]} " in done.stdout
    for line in lines:
        words = shlex.split(line)
        if words[2] == "uninstall":
            assert cli.make_context("deepthings", words[1:], resilient_parsing=True)
            assert uninstall.make_context("uninstall", words[3:]).params["role"] in SERVICE_ROLES
    assert len(lines) > len(installing)


def test_the_units_of_the_documents_are_those_that_are_installed():
    named = {name for line in ALL if kind_of(line) == "systemd" for name in re.findall(r"deepthings-\S+", line)}
    assert named == {unit_name("gateway"), unit_name("edge")}


def test_the_backup_of_the_documents_is_written_and_restored(workshop, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(workshop / "state"))
    lines = [line for line in ALL if kind_of(line) in {"backup", "restore"}]
    assert [kind_of(line) for line in lines] == ["backup", "restore"]
    for line in lines:
        words = [DEEPTHINGS, *shlex.split(line)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=workshop)
        assert done.returncode == 0, done.stderr
    assert (workshop / "street.yaml").read_text() == (ROOT / "docs" / "examples" / "street.yaml").read_text()


def test_the_updates_of_the_documents_are_those_that_are_tested():
    """They change an installation, so that tests/integration/test_update.py has some of its own for them."""
    lines = [line for line in ALL if kind_of(line) in {"update", "scripts/build"}]
    wheel = f"dist/deepthings-{installed_version()}-py3-none-any.whl"
    assert lines == ["deepthings update", "scripts/build", f"deepthings update {wheel}"]


@pytest.mark.slow
def test_the_demo_script_works_from_anywhere(tmp_path):
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--headless", "--frames", "2", "--edges", "1", "--json"],
        capture_output=True, text=True, timeout=110, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["frames_captured"] == 2


def test_a_link_to_the_script_of_all_commands_works_from_anywhere(tmp_path):
    (tmp_path / "deepthings").symlink_to(ROOT / "scripts" / "deepthings")
    done = subprocess.run(
        [tmp_path / "deepthings", "detect", ROOT / "tests/photos/astronaut.jpg"],
        capture_output=True, text=True, timeout=110, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "person" in done.stdout


def test_the_scripts_of_the_documents_are_there_to_be_run():
    for name in (
        "scripts/deepthings",
        "scripts/demo",
        "scripts/test",
        "scripts/bench",
        "scripts/setup",
        "scripts/check",
        "scripts/build",
        ".ci/run",
    ):
        assert os.access(ROOT / name, os.X_OK), name
    assert "scripts/test" in (ROOT / ".ci/run").read_text()
    assert "scripts/check" in (ROOT / "scripts/test").read_text()
