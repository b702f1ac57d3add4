"""What docs/doctor.md shows is what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.doctor.diagnosis import diagnose
from shared.doctor.doctor_findings import Examination
from tests.unit.shared.doctor.set_ups import camera, well

PAGE = (Path(__file__).parents[4] / "docs/doctor.md").read_text()
GROUPS = {"edges": "edge ", "cameras": "camera ", "data plane of edges": "data plane of "}
"""Checks whose findings have the names of edges and cameras."""


def test_the_page_has_every_check_in_its_order():
    listed = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    found = [finding.check for finding in diagnose(well()).findings]
    named = [next((group for group, start in GROUPS.items() if check.startswith(start)), check) for check in found]
    assert listed == list(dict.fromkeys(named))


def test_the_object_of_the_page_is_what_is_printed():
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown = Examination.model_validate_json(block, extra="forbid")
    assert json.loads(block) == json.loads(shown.model_dump_json())
    printed = diagnose(well(cluster=camera("wrong password; trying again after 5 min")))
    assert shown.findings[-1].model_copy(update={"check": "camera front_door"}) in printed.findings
