from __future__ import annotations

import csv
import json

import pytest

from benchmarks import campaign as campaigning
from benchmarks.campaign import Campaign
from benchmarks.setting import BenchSetting
from benchmarks.witnessing import UnfinishedError
from gateway.models.catalogue import DEFAULT_MODEL
from shared.errors import ConfigurationError
from tests.unit.benchmarks.made_up import measurement

SETTINGS = [BenchSetting("ftp-wst", edges=edges) for edges in (1, 2, 3)]


class Cluster:
    """Stands in for real clusters: writes down what is asked of it, and fails where it is told to."""

    def __init__(self):
        self.asked = []
        self.failing = {}
        self.shaped = True
        self.before = lambda: None

    async def measure(self, setting, models, folder, cache):
        self.before()
        self.asked.append((setting, models, folder, cache))
        if setting in self.failing:
            raise self.failing[setting]
        return measurement(setting, shaped=self.shaped)

    @property
    def settings(self):
        return [setting for setting, *_ in self.asked]


@pytest.fixture
def cluster(monkeypatch):
    cluster = Cluster()
    monkeypatch.setattr(campaigning, "measure_setting", cluster.measure)
    monkeypatch.setattr(
        campaigning, "write_yolov2", lambda folder, *, whole: folder / ("yolov2.cfg" if whole else "yolov2-fused.cfg")
    )
    return cluster


def ignore(number, text):
    pass


def kept(folder):
    return [row["setting"]["edges"] for row in json.loads((folder / "results.json").read_text())["measurements"]]


def lines(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


async def test_all_settings_are_measured_in_their_order(cluster, tmp_path):
    told = []
    campaign = Campaign.open(tmp_path / "new" / "folder")
    await campaign.run(SETTINGS, lambda *said: told.append(said))
    assert cluster.settings == SETTINGS
    assert [measured.setting for measured in campaign.measurements] == SETTINGS
    assert told == [(number, setting.text) for number, setting in enumerate(SETTINGS)]
    assert campaign.failures == {}


async def test_everything_is_written_down_before_the_next_begins(cluster, tmp_path):
    seen = []
    cluster.before = lambda: seen.append(kept(tmp_path) if (tmp_path / "results.json").exists() else [])
    await Campaign.open(tmp_path).run(SETTINGS, ignore)
    assert seen == [[], [1], [1, 2]]
    assert kept(tmp_path) == [1, 2, 3]


async def test_an_interrupted_campaign_goes_on_where_it_was(cluster, tmp_path):
    cluster.failing = {SETTINGS[1]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        await Campaign.open(tmp_path).run(SETTINGS, ignore)
    cluster.failing = {}
    again = Campaign.open(tmp_path)
    await again.run(SETTINGS, ignore)
    assert cluster.settings == [SETTINGS[0], SETTINGS[1], SETTINGS[1], SETTINGS[2]]
    assert [measured.setting for measured in again.measurements] == SETTINGS
    assert kept(tmp_path) == [1, 2, 3]


async def test_what_is_known_is_neither_measured_nor_written_anew(cluster, tmp_path):
    await Campaign.open(tmp_path).run(SETTINGS, ignore)
    before = (tmp_path / "results.json").stat().st_mtime_ns
    again, asked = Campaign.open(tmp_path), len(cluster.asked)
    await again.run(SETTINGS, ignore)
    assert len(cluster.asked) == asked
    assert (tmp_path / "results.json").stat().st_mtime_ns == before
    assert again.measurements == [measurement(setting) for setting in SETTINGS]


async def test_a_setting_that_fails_is_told_and_left_out(cluster, tmp_path):
    told = []
    cluster.failing = {SETTINGS[1]: UnfinishedError("edge-2 ended before the cameras' end")}
    campaign = Campaign.open(tmp_path)
    await campaign.run(SETTINGS, lambda *said: told.append(said))
    assert kept(tmp_path) == [1, 3]
    assert campaign.failures == {SETTINGS[1].text: "edge-2 ended before the cameras' end"}
    assert (1, "failed: edge-2 ended before the cameras' end") in told


async def test_what_failed_is_tried_again_next_time(cluster, tmp_path):
    cluster.failing = {SETTINGS[1]: UnfinishedError("late")}
    await Campaign.open(tmp_path).run(SETTINGS, ignore)
    cluster.failing = {}
    again = Campaign.open(tmp_path)
    await again.run(SETTINGS, ignore)
    assert cluster.settings == [*SETTINGS, SETTINGS[1]]
    assert again.failures == {}
    assert kept(tmp_path) == [1, 3, 2]


async def test_a_mistake_of_ours_is_not_taken_for_a_setting_that_failed(cluster, tmp_path):
    cluster.failing = {SETTINGS[0]: ZeroDivisionError()}
    with pytest.raises(ZeroDivisionError):
        await Campaign.open(tmp_path).run(SETTINGS, ignore)


@pytest.mark.usefixtures("cluster")
async def test_the_table_has_a_line_for_each_measurement(tmp_path):
    await Campaign.open(tmp_path).run(SETTINGS, ignore)
    rows = lines(tmp_path)
    assert [(row["method"], row["edges"]) for row in rows] == [("ftp-wst", "1"), ("ftp-wst", "2"), ("ftp-wst", "3")]
    row = rows[0]
    assert (row["fused_s"], row["total_s"], row["frames_per_s"], row["stolen_share"]) == ("1.0", "1.1", "1.0", "0.0")
    assert (row["bytes_per_frame"], row["accounted_bytes_per_frame"]) == ("1000000", "900000")
    assert row["shaped"] == "True"


async def test_a_campaign_of_failures_writes_no_tables(cluster, tmp_path):
    cluster.failing = dict.fromkeys(SETTINGS, UnfinishedError("late"))
    campaign = Campaign.open(tmp_path)
    await campaign.run(SETTINGS, ignore)
    assert len(campaign.failures) == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("cluster")
async def test_an_interrupted_writing_leaves_what_was_there(tmp_path):
    campaign = Campaign.open(tmp_path)
    await campaign.run(SETTINGS[:2], ignore)
    campaign.machine = {"what": object()}  # nothing that JSON can hold
    with pytest.raises(TypeError):
        await campaign.run(SETTINGS, ignore)
    assert len(Campaign.open(tmp_path).measurements) == 2


async def test_every_setting_has_logs_of_its_own_and_the_workload_that_it_names(cluster, tmp_path):
    settings = [BenchSetting("bodp", workload=workload) for workload in ("fused", "whole", "built-in")]
    settings.append(BenchSetting("bodp", edge_cpu=0.06))
    await Campaign.open(tmp_path).run(settings, ignore)
    assert len({folder for _, _, folder, _ in cluster.asked}) == 4
    assert {folder.parent for _, _, folder, _ in cluster.asked} == {tmp_path / "logs"}
    assert {cache for *_, cache in cluster.asked} == {tmp_path / "cache"}
    models = tmp_path / "models"
    assert cluster.asked[0][1] == {
        "built-in": DEFAULT_MODEL, "fused": str(models / "yolov2-fused.cfg"), "whole": str(models / "yolov2.cfg"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "text"),
    [("no root", "contains measurements of emulated devices, and these would be unlimited ones (no root)"),
     ("", "contains measurements of unlimited devices, and these would be emulated ones; write to another")],
    ids=["unlimited", "emulated"],
)  # fmt: skip
async def test_emulated_and_unlimited_devices_are_not_mixed(cluster, tmp_path, reason, text):
    cluster.shaped = bool(reason)
    first = Campaign.open(tmp_path)
    first.reason = "" if reason else "no root"
    await first.run(SETTINGS[:1], ignore)
    second = Campaign.open(tmp_path)
    second.reason = reason
    with pytest.raises(ConfigurationError, match="another folder with --out") as raised:
        await second.run(SETTINGS, ignore)
    assert text in str(raised.value)
    assert cluster.settings == SETTINGS[:1]


def test_the_machine_is_described(tmp_path):
    machine = Campaign.open(tmp_path).machine
    assert machine["cores"] >= 1
    assert machine["processor"]
    assert machine["system"]
