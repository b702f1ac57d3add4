from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from benchmarks.scale.bench_group import BenchGroup, ScaleScope
from benchmarks.scale.scale_campaign import ScaleCampaign
from benchmarks.scale.scale_rows import ScaleResult
from benchmarks.witnessing import UnfinishedError
from shared.errors import ConfigurationError


def made(log, *steps, emulated=False, fails=False, name="group"):
    """A group whose steps are (rows, results or error); `log` gets what is opened, done and closed."""

    @asynccontextmanager
    async def opened(_scope):
        if fails:
            raise UnfinishedError("the devices do not start")
        log.append("open")
        yield name
        log.append("close")

    def step(rows, outcome):
        async def run(bench):
            log.append((bench, *rows))
            if isinstance(outcome, Exception):
                raise outcome
            return [ScaleResult(row, f"measured {row}") for row in outcome]

        return run

    return BenchGroup(name, emulated, opened, tuple((rows, step(rows, outcome)) for rows, outcome in steps))


def ignore(_number, _text):
    pass


async def test_results_are_kept_and_a_second_run_measures_only_what_is_missing(tmp_path):
    log = []
    groups = [made(log, (("built-in",), ["built-in"]), (("slow-edge",), ["slow-edge"]))]
    first = ScaleCampaign.open(ScaleScope(tmp_path))
    await first.run(groups, ["built-in"], ignore)
    assert log == ["open", ("group", "built-in"), "close"]
    log.clear()
    second = ScaleCampaign.open(ScaleScope(tmp_path))
    await second.run(groups, ["built-in", "slow-edge"], ignore)
    assert log == ["open", ("group", "slow-edge"), "close"]
    assert [result.row for result in second.ordered] == ["built-in", "slow-edge"]
    log.clear()
    await ScaleCampaign.open(ScaleScope(tmp_path)).run(groups, ["built-in", "slow-edge"], ignore)
    assert log == []


async def test_a_row_that_fails_does_not_stop_the_others(tmp_path):
    log = []
    group = made(
        log, (("built-in", "slow-edge"), UnfinishedError("late")), (("thin-link",), ["thin-link"]),
        (("built-in",), ["built-in"]),
    )  # fmt: skip
    campaign = ScaleCampaign.open(ScaleScope(tmp_path))
    await campaign.run([group], ["built-in", "slow-edge", "thin-link"], ignore)
    assert [*campaign.results] == ["thin-link"]
    assert campaign.failures == {"built-in": "late", "slow-edge": "late"}
    assert ("group", "built-in") not in log  # its first step has failed


async def test_a_group_that_does_not_start_leaves_the_other_groups(tmp_path):
    log = []
    broken, whole = made(log, (("built-in",), ["built-in"]), fails=True), made(log, (("memory",), ["memory"]))
    campaign = ScaleCampaign.open(ScaleScope(tmp_path))
    await campaign.run([broken, whole], ["built-in", "memory"], ignore)
    assert ([*campaign.results], campaign.failures) == (["memory"], {"built-in": "the devices do not start"})


async def test_without_root_rows_that_need_emulated_devices_say_why_they_are_missing(tmp_path):
    log = []
    groups = [made(log, (("built-in",), ["built-in"]), emulated=True), made(log, (("memory",), ["memory"]))]
    campaign = ScaleCampaign.open(ScaleScope(tmp_path))
    campaign.unavailable = "emulating a network needs root"
    await campaign.run(groups, ["built-in", "memory"], ignore)
    assert [*campaign.results] == ["memory"]
    assert campaign.failures == {"built-in": "it needs emulated devices: emulating a network needs root"}


async def test_results_of_other_options_are_not_mixed(tmp_path):
    campaign = ScaleCampaign.open(ScaleScope(tmp_path, quick=True))
    await campaign.run([made([], (("memory",), ["memory"]))], ["memory"], ignore)
    assert [*ScaleCampaign.open(ScaleScope(tmp_path, quick=True)).results] == ["memory"]
    for other in (ScaleScope(tmp_path), ScaleScope(tmp_path, quick=True, method="whole")):
        with pytest.raises(ConfigurationError, match="measured with other options"):
            ScaleCampaign.open(other)


@pytest.mark.parametrize("text", ["", "[]", '{"rows": []}', '{"scope": {}, "rows": [{"row": "gone"}]}'])
def test_a_file_of_another_format_is_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ConfigurationError, match="does not contain rows of this release"):
        ScaleCampaign.open(ScaleScope(tmp_path))


async def test_the_file_has_the_machine_and_the_rows(tmp_path):
    campaign = ScaleCampaign.open(ScaleScope(tmp_path))
    await campaign.run([made([], (("memory",), ["memory"]))], ["memory"], ignore)
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["machine"]["cores"] > 0
    assert [row["measured"] for row in document["rows"]] == ["measured memory"]
    assert [*document["seconds"]] == ["group"]


async def test_the_row_of_predictions_is_made_of_the_others(tmp_path):
    async def measure(_bench):
        return [ScaleResult("head", "", figures={"plans": {"staged": {"predicted": 2.0, "measured": 1.9}}})]

    @asynccontextmanager
    async def opened(_scope):
        yield None

    campaign = ScaleCampaign.open(ScaleScope(tmp_path))
    await campaign.run([], ["predictions"], ignore)
    assert "no row with plans" in campaign.failures["predictions"]
    campaign.failures.clear()
    await campaign.run([BenchGroup("head", False, opened, ((("head",), measure),))], ["head", "predictions"], ignore)
    assert campaign.results["predictions"].measured == "1 of 1"
    assert ScaleCampaign.open(ScaleScope(tmp_path)).results["predictions"].measured == "1 of 1"
