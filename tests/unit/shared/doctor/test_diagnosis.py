"""What cannot be known after a failure is not tried, and names that failure."""

from __future__ import annotations

from shared.doctor.diagnosis import diagnose
from shared.doctor.doctor_facts import BrokerReply, NameAnswer, OwnKeys
from shared.doctor.doctor_findings import CheckResult
from tests.unit.shared.doctor.set_ups import HALF, KEYS, UNKNOWN_NAME, answer, well


def test_what_is_wrong_with_the_gateway_is_asked_of_no_other_check():
    facts = well(name=NameAnswer(reason=UNKNOWN_NAME), port=None, **answer(BrokerReply.SILENT) | {"broker": None})
    untried = {each.check for each in diagnose(facts).findings if each.result is CheckResult.NOT_TRIED}
    assert {"port", "broker", "login", "gateway", "data plane", "edges", "cameras", "page"} <= untried
    assert not {"program cache", "memory", "power"} & untried


def test_what_needs_a_check_that_was_not_tried_names_the_one_that_failed():
    facts = well(keys=OwnKeys(KEYS.folder, fault=HALF), **answer(BrokerReply.SILENT) | {"broker": None})
    untried = {each.check: each.what for each in diagnose(facts).findings if each.result is CheckResult.NOT_TRIED}
    assert {"broker", "login", "access rules", "gateway", "data plane"} <= set(untried)
    assert set(untried.values()) == {"because the check 'keys' failed"}
