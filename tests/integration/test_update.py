"""A wheel is built and installed, and a clone is brought up to date, by what a user types; nothing else is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from shared.process.lifecycle import installed_version

ROOT = Path(__file__).parents[2]
PACKAGES = sysconfig.get_path("purelib")
CODE = ("gateway", "edge", "shared", "camera_sources", "mosquitto", "benchmarks")

SETUP = """#!/bin/sh
echo "set up for $1"
"""


def done(*words, cwd=None):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, timeout=100, check=False, cwd=cwd, env=environment
    )


def git(folder, *words):
    said = done("git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *words)
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


def environment_at(folder, *paths):
    """A virtual environment that finds what is in `paths`, and the libraries of this one; returns its programs."""
    venv.create(folder, with_pip=False)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "found.pth").write_text("\n".join([*map(str, paths), PACKAGES]))
    return packages, folder / "bin"


def write_script(programs):
    script = programs / "deepthings"
    script.write_text(f"#!{programs}/python\nfrom shared.cli import main\nmain()\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def origin(tmp_path):
    """A repository like ours whose set-up only says what it was asked for."""
    origin = tmp_path / "origin"
    origin.mkdir()
    for folder in CODE:
        shutil.copytree(ROOT / folder, origin / folder, ignore=shutil.ignore_patterns("__pycache__", "*.mp4"))
    (origin / "scripts").mkdir()
    (origin / "scripts" / "setup").write_text(SETUP)
    (origin / "scripts" / "setup").chmod(0o755)
    (origin / ".gitignore").write_text(".venv\n__pycache__/\n")
    git(tmp_path, "init", "--quiet", "-b", "main", origin)
    git(origin, "add", "-A")
    git(origin, "commit", "--quiet", "-m", "first")
    return origin


@pytest.fixture
def clone(origin, tmp_path):
    """A clone of it as scripts/setup leaves it: installed in its .venv, from its folder."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", origin, clone)
    packages, programs = environment_at(clone / ".venv", clone)
    write_script(programs)
    (clone / ".venv" / "installed").write_text("edge 1234\n")
    described = packages / "deepthings-0.1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: deepthings\nVersion: 0.1.0\n")
    (described / "direct_url.json").write_text(f'{{"dir_info": {{"editable": true}}, "url": "file://{clone}"}}')
    return clone


def update(clone, *options):
    return done(clone / ".venv" / "bin" / "deepthings", "update", *options, cwd="/")


def test_a_clone_is_pulled_and_set_up_as_before(origin, clone):
    (origin / "new").write_text("")
    git(origin, "add", "-A")
    git(origin, "commit", "--quiet", "-m", "second")
    said = update(clone)
    assert said.returncode == 0, said.stderr
    assert (clone / "new").exists()
    assert "set up for edge" in said.stdout
    assert f"is at {git(origin, 'log', '-1', '--format=%h')}" in said.stdout
    assert "before: deepthings, version 0.1.0\nnow:    deepthings, version 0.1.0" in said.stdout


def test_a_clone_with_changes_is_left_as_it_is(origin, clone):
    (origin / "new").write_text("")
    git(origin, "add", "-A")
    git(origin, "commit", "--quiet", "-m", "second")
    (clone / "shared" / "errors.py").write_text((clone / "shared" / "errors.py").read_text() + "\n# mine\n")
    said = update(clone)
    assert (said.returncode, "set up" in said.stdout) == (1, False)
    assert "has local changes (shared/errors.py): commit or undo them" in said.stderr
    assert not (clone / "new").exists()


@pytest.mark.slow
def test_a_clone_with_commits_of_its_own_is_left_as_it_is(origin, clone):
    for folder in (origin, clone):
        (folder / "new").write_text(str(folder))
        git(folder, "add", "-A")
        git(folder, "commit", "--quiet", "-m", "another")
    said = update(clone)
    assert (said.returncode, "set up" in said.stdout) == (1, False)
    assert "pull" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.slow
def test_an_environment_that_was_made_otherwise_is_left_to_who_made_it(clone, tmp_path):
    shutil.move(clone / ".venv", tmp_path / "elsewhere")
    script = write_script(tmp_path / "elsewhere" / "bin")
    said = done(script, "update", cwd="/")
    assert said.returncode == 1
    assert "was not made by scripts/setup" in said.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What scripts/build makes, in a copy of this checkout whose .venv is the one of these tests."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in [*CODE, "scripts"]:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    (copy / ".venv").symlink_to(sys.prefix)
    built = done(copy / "scripts" / "build", cwd="/")
    if "network" in built.stderr and "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("hatchling cannot be had here: there is no network")
    assert built.returncode == 0, built.stderr
    return copy / built.stdout.strip()


@pytest.mark.slow
def test_a_wheel_has_all_that_the_program_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"mosquitto/mosquitto.conf", "gateway/models/nanodet-g/nanodet-g.onnx", "shared/cli/__init__.py"} <= names
    assert [name for name in names if name.startswith("tests/")] == []


@pytest.mark.slow
def test_a_wheel_is_installed_by_pip_and_then_by_the_update(wheel, tmp_path):
    packages, programs = environment_at(tmp_path / "fresh")
    pip = (programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps")
    installed = done(*pip, "--ignore-installed", wheel)
    assert installed.returncode == 0, installed.stderr
    assert done(programs / "deepthings", "--version").stdout == f"deepthings, version {installed_version()}\n"
    refused = done(programs / "deepthings", "update", cwd="/")
    assert (refused.returncode, "not from a clone: name a wheel" in refused.stderr) == (2, True)
    marker = packages / "shared" / "errors.py"
    marker.write_text(marker.read_text() + "\n# older\n")
    said = done(programs / "deepthings", "update", wheel, cwd="/")
    assert said.returncode == 0, said.stderr
    assert f"now:    deepthings, version {installed_version()}" in said.stdout
    assert "# older" not in marker.read_text()


def test_what_is_no_wheel_is_refused_before_anything_is_done(tmp_path, deepthings):
    (tmp_path / "x.whl").write_text("no wheel")
    said = deepthings("update", "x.whl")
    assert said.returncode == 2
    assert "is not a wheel of DeepThings" in said.stderr
