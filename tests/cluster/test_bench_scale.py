"""`deepthings bench scale` as a user runs it: rows of this machine, which need no emulated devices."""

from __future__ import annotations

import json

import pytest

from tests.commands import run

pytestmark = pytest.mark.slow


def bench(out, *options, **environment):
    done = run("bench", "scale", "--quick", "--out", str(out), *options, timeout_s=110, **environment)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder that a run has filled, and what the run has said."""
    out = tmp_path_factory.mktemp("bench") / "out"
    return out, bench(out, "--rows", "cores,one-machine,cold-start")


def test_a_run_leaves_a_page_results_and_pictures(measured):
    out, done = measured
    rows = {row["row"]: row for row in json.loads((out / "results.json").read_text())["rows"]}
    assert list(rows) == ["one-machine", "cores", "cold-start"]
    one = rows["one-machine"]["figures"]
    assert one["measured"] > 0
    assert one["bare"] > 0
    assert rows["cores"]["figures"]["threads"] >= 1
    assert 0 < rows["cold-start"]["figures"]["cached"] < 100
    page = (out / "README.md").read_text()
    assert "| all on one machine with two cores, of two bare loops | >= 90 % |" in page
    assert "](throughput.png)" in page
    assert (out / "throughput.png").stat().st_size > 5_000
    assert f"the page is {out / 'README.md'}" in done.stderr
    assert "all on one machine" in done.stdout


def test_a_second_run_measures_nothing_anew_and_prints_the_rows_as_json(measured):
    out, _ = measured
    kept, moment = (out / "results.json").read_bytes(), (out / "results.json").stat().st_mtime_ns
    rows = json.loads(bench(out, "--rows", "one-machine", "--json").stdout)
    assert [row["row"] for row in rows] == ["one-machine", "cores", "cold-start"]
    assert ((out / "results.json").read_bytes(), (out / "results.json").stat().st_mtime_ns) == (kept, moment)


def test_where_devices_cannot_be_emulated_their_rows_say_so(measured, tmp_path):
    """The same as on a machine without `ip`, whoever runs it."""
    out, _ = measured
    done = bench(out, "--rows", "built-in,cores", PATH=str(tmp_path))
    assert "Not measured: built-in: it needs emulated devices: emulating a network needs " in done.stderr
    assert "## Not measured" in (out / "README.md").read_text()
