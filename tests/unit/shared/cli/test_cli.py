from __future__ import annotations

import importlib
import signal
import sys

import click
import pytest

from shared import cli
from shared.cli import main
from shared.cli.command_group import COMMANDS
from shared.process.lifecycle import installed_version


def run(monkeypatch, *arguments):
    """Run the console script; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["deepthings", *arguments])
    interrupt = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended:
        main()
    signal.signal(signal.SIGINT, interrupt)
    return ended.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name):
    module, _, line = COMMANDS[name]
    assert isinstance(importlib.import_module(module).command, click.Command)
    assert line.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(monkeypatch, capsys, name):
    assert run(monkeypatch, name, "--help") == 0
    assert f"deepthings {name}" in capsys.readouterr().out


def test_the_help_lists_every_command(monkeypatch, capsys):
    assert run(monkeypatch, "--help") == 0
    told = capsys.readouterr().out
    assert [name for name in COMMANDS if f"  {name} " not in told] == []


def test_the_version_is_that_of_the_installed_release(monkeypatch, capsys):
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"deepthings, version {installed_version()}\n"


def test_success_ends_with_zero_and_prints_to_standard_output(monkeypatch, capsys):
    assert run(monkeypatch, "verify", "--grid", "2x2") == 0
    assert "28 layers up to concat_28 in 2x2 tiles" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["detect", "/nowhere/picture.png"], "picture /nowhere/picture.png does not exist"),
        (["verify", "--cut", "nowhere"], "no layer 'nowhere'"),
        (["verify", "--model", "/nowhere/model.onnx"], "model /nowhere/model.onnx cannot be read"),
        (["camera", "--source", "/nowhere", "--name", "c", "--edge", "h:1"], "camera source /nowhere does not exist"),
    ],
)
def test_what_fails_ends_with_one_and_one_line(monkeypatch, capsys, arguments, words):
    assert run(monkeypatch, *arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Error: ")
    assert words in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "--grid", "60x60"], "grid 60x60 is larger than the map"),
        (["verify", "--model", "unheard-of"], "unknown model 'unheard-of'"),
        (["detect", "a.png", "b.png", "--out", "one.png"], "several pictures need a folder"),
        (["camera", "--source", "ftp://x/y", "--name", "c", "--edge", "h:1"], "ftp://... is not"),
        (["verify", "--grid", "3"], "write for example 3x3"),
        (["verify", "--colour", "red"], "No such option"),
        (["edge", "--gateway", "nowhere:99999"], "is not HOST:PORT"),
        (["edge", "--name", "Front Door"], "write lower-case letters"),
        (["edge", "--threads", "0"], "threads"),
        (["camera", "--source", "x", "--name", "c", "--edge", "h"], "is not HOST:PORT"),
        (["gateway", "--port", "0"], "port"),
        (["detect"], "Missing argument"),
        (["sing"], "No such command"),
    ],
)
def test_bad_usage_and_configuration_end_with_two(monkeypatch, capsys, arguments, words):
    assert run(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(COMMANDS, "demo", ("gateway.commands.demo", "gateway", "."))
    monkeypatch.setitem(sys.modules, "gateway.commands.demo", None)
    assert run(monkeypatch, "demo") == 1
    assert "pip install 'deepthings[gateway]'" in capsys.readouterr().err


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, click.Abort])
def test_an_interruption_ends_as_a_shell_expects(monkeypatch, interruption):
    @click.command()
    def interrupted():
        raise interruption

    monkeypatch.setattr(cli, "cli", interrupted)
    assert run(monkeypatch) == 130


@pytest.mark.parametrize(
    ("cause", "code"),
    [(KeyboardInterrupt(), 130), (SystemExit(143), 143)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_signal_whose_exception_became_another_one_is_still_a_signal(monkeypatch, capsys, cause, code):
    def interrupted_in_a_condition_variable(**_):
        try:
            raise cause
        finally:
            raise RuntimeError("release unlocked lock")

    monkeypatch.setattr(cli.cli, "main", interrupted_in_a_condition_variable)
    assert run(monkeypatch) == code
    assert capsys.readouterr().err == ""


def test_an_error_of_our_own_is_not_taken_for_a_signal(monkeypatch):
    def fail(**_):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(cli.cli, "main", fail)
    monkeypatch.setattr(sys, "argv", ["deepthings"])
    with pytest.raises(RuntimeError, match="a mistake"):
        main()
