from __future__ import annotations

import pytest

from shared.status.cluster_gain import cluster_gain, explain_gain
from shared.status.status_report import build_status
from tests.unit.shared.status.clusters import ATTIC, GATEWAY, HALL, INFO, NOW, facts_of


def told(work=1.0, **rates):
    return explain_gain(cluster_gain(rates, work), tuple(rates))


def test_what_all_devices_compute_is_said_beside_the_fastest_one_alone():
    assert told(a=8.2, b=7.8, c=7.9, d=7.4) == (
        "these 4 devices can compute up to 31 frames/s; the fastest of them alone, a, could compute 8.2"
    )


def test_the_figures_are_there_for_programs():
    gain = cluster_gain({"a": 4.0, "b": 8.25, "c": None}, 1.5)
    assert (gain.frames_per_s, gain.fastest, gain.fastest_frames_per_s) == (8.17, "b", 8.25)
    assert (gain.devices, gain.unmeasured, gain.work) == (2, ("c",), 1.5)


def test_a_single_device_is_said_to_be_alone():
    assert told(attic=8.2) == "attic can compute up to 8.2 frames/s; it is the only device"


def test_the_work_that_tiles_add_is_taken_off():
    assert told(1.5, a=10, b=9, c=11) == (
        "these 3 devices can compute up to 20 frames/s; the fastest of them alone, c, could compute 11, each frame "
        "whole; tiles are 1.5 times the work"
    )


@pytest.mark.parametrize(("work", "advised"), [(1.0, False), (1.2, False), (1.53, True), (2.2, True)])
def test_tiles_that_use_up_what_the_other_devices_compute_are_advised_against(work, advised):
    assert ("--method auto" in told(work, a=10, b=6)) is advised


def test_before_any_device_is_measured_that_is_said():
    assert cluster_gain({"a": None, "b": None}, 1.0) is None
    assert told(a=None, b=None).startswith("not known yet how fast the devices are")


def test_devices_that_are_not_measured_are_named():
    assert told(a=8.2, hall=None, shed=None) == ("a can compute up to 8.2 frames/s; not measured yet: hall, shed")


def test_without_devices_nothing_is_said():
    assert told() == ""


def test_devices_that_are_away_or_get_no_work_do_not_count():
    measured = ATTIC.model_copy(update={"computable_per_s": 10.0})
    barred = measured.model_copy(update={"barred": "it computed wrongly"})
    drained = measured.model_copy(update={"drained": True})
    away = HALL.model_copy(update={"computable_per_s": 10.0})
    info = INFO.model_copy(update={"plan": INFO.plan.model_copy(update={"tiles": 9, "work": 1.53})})
    facts = facts_of(info=info, a=measured, b=measured, c=barred, d=away, e=drained)
    gateway = build_status(facts, GATEWAY, "b", NOW).gateway
    assert (gateway.gain.devices, gateway.gain.frames_per_s) == (2, 13.07)
    assert gateway.gain_in_words.startswith("these 2 devices can compute up to 13 frames/s")
