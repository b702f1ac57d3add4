"""What docs/status.md shows is what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.payloads.cluster import NodeReport, State, TileCounts
from shared.status.status_report import Status, build_status
from shared.status.status_text import status_lines
from tests.unit.shared.status.clusters import ATTIC, DOOR, GARDEN, GATEWAY, HALL, NOW, SHED, facts_of

PAGE = (Path(__file__).parents[4] / "docs/status.md").read_text()


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_the_report_of_the_page_is_how_reports_look():
    """As many lines, columns at the same places, the same words where they are not numbers."""
    gateway = GATEWAY.model_copy(update={"version": "0.1.0"})
    computed = {"tiles": TileCounts(own=4220, stolen=2140), "tiles_per_s": 6.1}
    attic = ATTIC.model_copy(update={"version": "0.1.0", **computed})
    shed = SHED.model_copy(
        update={
            "version": "0.0.9", "tiles": TileCounts(stolen=4112), "tiles_per_s": 3.8, "load": 0.3, "cores": 4,
            "threads": 1, "usable_cores": 4.0, "temperature": 55.0, "computable_per_s": 9.2,
        }
    )  # fmt: skip
    hall = NodeReport(**HALL.model_dump() | {"version": "0.1.0"})
    counts = {"captured": 413, "published": 411, "dropped": {"deadline": 2}}
    garden = type(GARDEN).model_validate(GARDEN.model_dump() | {"counts": counts})
    facts = facts_of(bridge=gateway, cameras=(DOOR, garden), attic=attic, hall=hall, shed=shed)
    assert hall.state is State.OFFLINE
    assert block("text").splitlines() == list(status_lines(build_status(facts, gateway, "192.168.1.5:1883", NOW), 100))


def test_the_object_of_the_page_has_every_field():
    told = Status.model_validate_json(block("json"), extra="forbid")
    assert json.loads(block("json")) == json.loads(told.model_dump_json())
