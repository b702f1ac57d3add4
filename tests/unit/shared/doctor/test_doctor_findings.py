from __future__ import annotations

import pytest

from shared.doctor.doctor_findings import (
    CheckResult,
    Examination,
    failed,
    not_tried,
    passed,
    split_cure,
    warned,
)
from shared.doctor.doctor_text import examination_lines


@pytest.mark.parametrize(
    ("text", "what", "cure"),
    [
        ("edge x is offline", "edge x is offline", ""),
        ("the broker is on: it says no", "the broker is on: it says no", ""),
        ("two edges are called x: give one of them a name", "two edges are called x", "give one of them a name"),
        ("it streams over UDP only; write transport: udp", "it streams over UDP only", "write transport: udp"),
        (
            "strangers were refused: 10.0.0.1; if they are yours, run 'deepthings invite' here",
            "strangers were refused: 10.0.0.1", "if they are yours, run 'deepthings invite' here",
        ),
    ],
)  # fmt: skip
def test_a_sentence_is_divided_at_its_cure(text, what, cure):
    assert split_cure(text) == (what, cure)


def examination(*findings):
    ok = not any(finding.result is CheckResult.FAILED for finding in findings)
    return Examination(at=0.0, gateway="nas:7883", ok=ok, findings=findings)


def test_the_report_has_causes_and_cures_and_ends_with_what_was_tried():
    report = examination(
        passed("name", "nas is 192.168.1.5"),
        warned("clock", "a day behind", "it has none", "set it"),
        failed("port", "closed", "no gateway", "start it"),
        not_tried("broker", "the check 'port' failed"),
        not_tried("login", "the check 'port' failed"),
    )
    assert list(examination_lines(report, 100)) == [
        "between this device and the detections of the gateway at nas:7883:",
        "",
        "ok       name   nas is 192.168.1.5",
        "warning  clock  a day behind",
        "                likely cause: it has none",
        "                -> set it",
        "FAILED   port   closed",
        "                likely cause: no gateway",
        "                -> start it",
        "",
        "not tried because the check 'port' failed: broker, login",
        "tried 3 of 5 checks: 1 well, 1 with a warning, 1 failed; begin with the first that failed: port",
    ]


def test_lines_are_wrapped_and_control_characters_are_not_printed():
    (line, *more) = list(examination_lines(examination(passed("camera", "\x1b[2J" + "word " * 30)), 60))[2:-2]
    assert "?[2J" in line
    assert more
    assert all(len(each) <= 60 for each in (line, *more))
