from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from benchmarks.command import command
from benchmarks.scale import scale_command
from benchmarks.scale.scale_command import GROUPS
from benchmarks.scale.scale_rows import PREDICTIONS, SCALE_ROWS, ScaleResult


def test_every_row_belongs_to_one_group_or_is_made_of_others():
    assert sorted([PREDICTIONS, *(row for group in GROUPS for row in group.rows)]) == sorted(SCALE_ROWS)


@pytest.fixture
def chosen(monkeypatch):
    """Record what would be measured, and measure nothing."""
    asked = []

    def measure(campaign, rows, _console):
        asked.append((campaign, rows))
        campaign.results = {row: ScaleResult(row, "something") for row in rows if row != "memory"}
        campaign.failures = dict.fromkeys(set(rows) & {"memory"}, "no memory")

    monkeypatch.setattr(scale_command, "_measure", measure)
    monkeypatch.setattr(scale_command, "find_mosquitto", lambda: "mosquitto")
    monkeypatch.setattr(scale_command, "emulation_unavailable_reason", lambda _: "no root")
    return asked


def run(*options):
    return CliRunner().invoke(command, ["scale", *options])


def test_all_rows_by_the_gateways_own_method_unless_told_otherwise(chosen, tmp_path):
    done = run("--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    ((campaign, rows),) = chosen
    assert rows == tuple(SCALE_ROWS)
    assert (campaign.scope.gateway_options, campaign.scope.quick, campaign.unavailable) == ((), False, "no root")
    assert (tmp_path / "README.md").read_text().startswith("# What a cluster gains")


def test_the_options_are_the_scope(chosen, tmp_path):
    done = run("--out", str(tmp_path), "--rows", "memory,cores", "--method", "whole", "--quick", "--json")
    assert done.exit_code == 0, done.output
    ((campaign, rows),) = chosen
    assert rows == ("cores", "memory")
    assert (campaign.scope.gateway_options, campaign.scope.quick) == (("--method", "whole"), True)
    assert [row["row"] for row in json.loads(done.stdout)] == ["cores"]


def test_bad_rows_are_refused_before_anything_is_done(tmp_path):
    done = run("--rows", "magic", "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert "rows 'magic': write all, or some of" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("chosen")
def test_when_nothing_was_measured_the_reason_is_told(tmp_path):
    done = run("--rows", "memory", "--out", str(tmp_path))
    assert done.exit_code != 0
    assert str(done.exception) == "nothing was measured: no memory"
