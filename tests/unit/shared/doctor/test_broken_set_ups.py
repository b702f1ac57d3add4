"""Each broken set-up is named by the doctor, with its likely cause and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.doctor.diagnosis import diagnose
from shared.doctor.doctor_findings import CheckResult
from shared.payloads.frames import Outcome
from tests.unit.shared.doctor.broken_devices import BROKEN_DEVICES
from tests.unit.shared.doctor.broken_gateways import BROKEN_GATEWAYS
from tests.unit.shared.doctor.set_ups import (
    DEVICE,
    cluster,
    dropping,
    well,
)
from tests.unit.shared.status.clusters import HEALTH, INFO, NOW

SET_UPS = BROKEN_GATEWAYS | BROKEN_DEVICES


def test_nothing_is_found_where_all_is_well():
    examination = diagnose(well())
    assert [each for each in examination.findings if each.result is not CheckResult.OK] == []
    assert examination.ok


@pytest.mark.parametrize("name", SET_UPS)
def test_a_broken_set_up_is_named_with_its_cause_and_cure(name):
    facts, check, cause, cure, result = SET_UPS[name]
    examination = diagnose(facts)
    wrong = [each for each in examination.findings if each.result in {CheckResult.FAILED, CheckResult.WARNING}]
    assert [each.check for each in wrong] == [check]
    assert wrong[0].result is result
    assert cause in wrong[0].cause
    assert cure in wrong[0].cure
    assert examination.ok is (result is not CheckResult.FAILED)


def test_there_are_more_broken_set_ups_than_were_asked_for():
    assert len(SET_UPS) >= 25
    assert len(SET_UPS) == len(BROKEN_GATEWAYS) + len(BROKEN_DEVICES)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.PUBLISHED])
def test_every_reason_of_a_dropped_frame_has_a_cause_and_a_cure(outcome):
    wrong = [each for each in diagnose(well(cluster=dropping(outcome, published=0))).findings if each.cause]
    assert [each.check for each in wrong] == ["camera front_door"]
    assert outcome.value in wrong[0].what
    assert wrong[0].cure


def test_a_gateway_that_is_silent_is_not_reported_twice():
    findings = diagnose(
        well(cluster=cluster(health=HEALTH.model_copy(update={"at": NOW - 900, "problems": ()})))
    ).findings
    assert [each.check for each in findings if each.cause] == ["clock"]


def finding(facts, check):
    (found,) = [each for each in diagnose(facts).findings if each.check == check]
    return found


def test_a_page_for_its_own_machine_only_is_no_fault_on_another_one_and_says_how_to_open_it():
    info = INFO.model_copy(update={"page_host": "127.0.0.1", "page_port": 8095})
    found = finding(well(cluster=cluster(info=info), page=None, page_address=None), "page")
    assert found.result is CheckResult.NOT_TRIED
    assert "listens on the gateway's own machine only, at 127.0.0.1:8095; page: {listen: 0.0.0.0}" in found.what


def test_a_limit_that_is_enough_is_named_and_one_that_is_hidden_is_not_taken_for_none():
    limited = replace(DEVICE, memory_limit=2 * 10**9, memory_limited_by="/sys/fs/cgroup/docker")
    assert finding(well(device=limited), "memory").what.endswith("a control group limits it to 2000 MB")
    hidden = finding(well(device=replace(DEVICE, memory_limit_known=False)), "memory")
    assert hidden.result is CheckResult.OK
    assert hidden.what.endswith("whether a control group limits it is hidden here")
