"""`deepthings bench paper` as a user runs it: real processes, on emulated devices where the machine can do that."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from benchmarks.cluster.nodes import emulation_unavailable_reason
from benchmarks.cluster.shaping import Link
from tests.commands import run

pytestmark = pytest.mark.slow

SETTINGS = [
    {"edges": 1, "sources": 1, "pixels": "uint8"},
    {"edges": 2, "sources": 1, "pixels": "uint8"},
    {"edges": 2, "sources": 1, "pixels": "float32"},
    {"edges": 2, "sources": 2, "pixels": "uint8"},
]
FIGURES = ("memory", "latency", "speed-up", "bytes", "sources", "stolen")


def bench(out, *options, edges="1,2", **environment):
    done = run(
        "bench", "paper", "--quick", "--edges", edges, "--methods", "ftp-wst-s", "--out", str(out), *options,
        timeout_s=110, **environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder that a run with one device has begun to fill."""
    out = tmp_path_factory.mktemp("bench") / "out"
    bench(out, edges="1")
    return out


@pytest.fixture(scope="module")
def measured(begun):
    """The same folder, which a run with more devices has filled, and what that run has said."""
    return begun, bench(begun)


def test_one_device_is_measured_first(begun):
    rows = json.loads((begun / "results.json").read_text())["measurements"]
    assert [{key: row["setting"][key] for key in SETTINGS[0]} for row in rows] == SETTINGS[:1]


def test_a_run_leaves_a_page_tables_and_pictures(measured):
    out, done = measured
    page = (out / "README.md").read_text()
    rows = json.loads((out / "results.json").read_text())["measurements"]
    settings = [row["setting"] for row in rows]
    assert [{key: setting[key] for key in SETTINGS[0]} for setting in settings] == SETTINGS
    assert {setting["method"] for setting in settings} == {"ftp-wst-s"}
    for row in rows:
        assert len(row["frames"]) == row["setting"]["frames"] * row["setting"]["sources"]
        assert {frame["tiles"] for frame in row["frames"]} == {9}
        assert min(frame["fused_s"] for frame in row["frames"]) > 0
        assert row["dropped"] == {}
    with (out / "results.csv").open(newline="") as table:
        assert [row["edges"] for row in csv.DictReader(table)] == ["1", "2", "2", "2"]
    for name in FIGURES:
        assert f"]({name}.png)" in page
        assert (out / f"{name}.png").stat().st_size > 5_000
    assert not (out / "reuse.png").exists()  # nothing to compare with was measured
    assert f"the page is {out / 'README.md'}" in done.stderr
    assert "detections of all settings: the same, bit for bit" in done.stdout


def test_the_page_says_of_what_kind_the_devices_were(measured):
    out, done = measured
    page, rows = (out / "README.md").read_text(), json.loads((out / "results.json").read_text())["measurements"]
    reason = emulation_unavailable_reason(Link(100, shared=False))
    assert {row["shaped"] for row in rows} == {not reason}
    assert ("**Not shaped.**" in page, "Not shaped" in done.stderr) == (bool(reason), bool(reason))


def test_emulated_devices_are_as_weak_as_they_should_be(measured):
    if reason := emulation_unavailable_reason(Link(100, shared=False)):
        pytest.skip(reason)
    for row in json.loads((measured[0] / "results.json").read_text())["measurements"]:
        frames, edges = row["frames"], row["setting"]["edges"]
        run_s = max(frame["published_at"] for frame in frames) - min(frame["published_at"] for frame in frames)
        used = [seconds for node, seconds in row["cpu_seconds"].items() if node != "gateway"]
        assert len(used) == len(row["peak_memory"]) - 1 == edges
        assert max(used) < 0.25 * (run_s + 5)  # the first frame, and the last figures, lie outside of `run_s`
        accounted = sum(row["accounted_bytes"].values())
        assert 0.85 < accounted / row["interface_bytes"] < 1


def test_a_second_run_measures_nothing_anew_and_prints_the_findings_as_json(measured):
    out, _ = measured
    kept = [(out / name).read_bytes() for name in ("results.json", "README.md")]
    moment = (out / "results.json").stat().st_mtime_ns
    logs = sorted(path.name for path in (out / "logs").iterdir())
    done = bench(out, "--json")
    findings = json.loads(done.stdout)
    assert {"figure", "paper", "ours", "reached", "remark"} == set(findings[0])
    assert "latency, FTP-WST-S, 2 devices against 1 with the same tiles" in {finding["figure"] for finding in findings}
    assert findings[-1]["ours"] == "the same, bit for bit"
    assert [(out / name).read_bytes() for name in ("results.json", "README.md")] == kept
    assert (out / "results.json").stat().st_mtime_ns == moment
    assert sorted(path.name for path in (out / "logs").iterdir()) == logs


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory):
    """The same of a machine without `ip`, whoever runs it: processes on loopback."""
    out = tmp_path_factory.mktemp("unlimited") / "out"
    return out, bench(out, edges="1", PATH=str(tmp_path_factory.mktemp("no-tools")))


def test_where_devices_cannot_be_emulated_the_command_works_and_the_page_says_so(unlimited):
    out, done = unlimited
    page = (out / "README.md").read_text()
    (row,) = json.loads((out / "results.json").read_text())["measurements"]
    assert (row["shaped"], row["interface_bytes"], row["cpu_seconds"]) == (False, None, {})
    assert sum(row["accounted_bytes"].values()) > 0
    assert len(row["frames"]) == 5
    reason = "emulating a network needs " + ("ip and tc; install iproute2" if os.geteuid() == 0 else "root")
    assert done.stderr.startswith(f"Not shaped: {reason}")
    assert f"> **Not shaped.** {reason}" in page
    assert "network namespaces" not in page


def test_unlimited_and_emulated_devices_do_not_come_into_one_page(unlimited):
    if reason := emulation_unavailable_reason(Link(100, shared=False)):
        pytest.skip(reason)
    results = Path(unlimited[0] / "results.json")
    kept = results.read_bytes()
    done = run("bench", "paper", "--quick", "--edges", "1", "--methods", "ftp-wst-s", "--out", str(unlimited[0]))
    assert done.returncode == 2
    assert f"{unlimited[0]} contains measurements of unlimited devices" in done.stderr
    assert "--out" in done.stderr
    assert results.read_bytes() == kept
