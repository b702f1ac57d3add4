import json

from gateway.cameras.applied_settings import EffectiveSettings
from gateway.cameras.area_switches import switched_areas
from gateway.configuration.cameras import CameraSection
from gateway.configuration.objects import ObjectsSection
from gateway.page.cluster_views import DeviceColours, camera_view, cluster_view, events_view, history_view, plan_view
from gateway.page.daily_history import PastMinute
from gateway.page.page_record import ObjectRecord
from gateway.page.plan_reasons import explain_choice, explain_plan
from shared.payloads.bridge import BridgeEvent, BridgeEventType, PredictedPlan
from shared.payloads.observations import EventType, ObjectEvent
from shared.status.cluster_facts import ClusterFacts
from shared.status.status_report import build_status
from tests.unit.shared.status.clusters import ATTIC, GATEWAY, INFO, NOW, facts_of

SETTINGS = EffectiveSettings(enabled=True, detect=True, threshold=None, fps=5.0, labels=None)
NOBODY = ClusterFacts()


def states(section, objects=ObjectsSection()):  # noqa: B008  (frozen)
    return [(area, True) for area in switched_areas(section, objects)]


def status_of(facts):
    return build_status(facts, GATEWAY, "", NOW)


def test_devices_have_their_figures_and_a_colour():
    facts = facts_of()
    view = cluster_view(
        status_of(facts), facts.nodes, [("attic", "shed", 3.5)], DeviceColours(), [("attic", "shed", 11.7e6)]
    )
    assert {device["name"]: (device["state"], device["colour"]) for device in view["devices"]} == {
        "attic": ("online", 0), "hall": ("offline", 1), "shed": ("online", 2),
    }  # fmt: skip
    attic = view["devices"][0]
    assert (attic["load"], attic["temperature"], attic["computable_per_s"]) == (0.52, 61.5, 16.4)
    assert view["flows"] == [{"owner": "attic", "worker": "shed", "tiles_per_s": 3.5}]
    assert view["links"] == [{"from": "attic", "to": "shed", "mbit_per_s": 94}]
    assert (attic["computable_per_s"], attic["profile_per_s"]) == (16.4, 20.5)
    assert view["gateway"]["release"] == "1.2.0"


def test_a_device_says_what_is_wrong_with_it():
    facts = facts_of(attic=ATTIC.model_copy(update={"barred": "computed a tile wrongly", "drained": True}))
    (device,) = cluster_view(status_of(facts), facts.nodes, [], DeviceColours(), [])["devices"]
    assert (device["remark"], device["drained"]) == ("computed a tile wrongly", True)


def test_the_time_of_a_start_does_not_change_with_every_look():
    facts = facts_of()
    later = build_status(facts, GATEWAY, "", NOW + 3)
    views = [cluster_view(status, facts.nodes, [], DeviceColours(), []) for status in (status_of(facts), later)]
    assert abs(views[0]["gateway"]["since"] - views[1]["gateway"]["since"]) <= 10


def test_predicted_figures_are_beside_measured_ones():
    facts = facts_of()
    view = plan_view(status_of(facts), facts.info, "because")
    assert (view["measured_per_s"], view["predicted_per_s"], view["best_alone"]) == (9.87, 16.4, "attic")
    assert view["why"] == "because"
    assert view["frame_time"]["waiting_ms"] == 190


def test_everything_can_be_shown_before_anything_is_known():
    facts = NOBODY
    view = plan_view(status_of(facts), facts.info, explain_plan(facts.info, facts.nodes))
    assert (view["method"], view["why"], view["predicted_per_s"]) == ("", "", None)
    json.dumps([view, cluster_view(status_of(facts), None, [], DeviceColours(), [])])


def test_a_plan_is_explained_by_its_method():
    assert explain_plan(INFO, facts_of().nodes).startswith("each frame is computed whole, by one device: tiles cost")
    alone = facts_of(attic=ATTIC).nodes
    assert explain_plan(INFO, alone).endswith("there is only one, and tiles would add work")
    assert explain_plan(INFO, None) == "each frame is computed whole, by one device"
    tiles = INFO.plan.model_copy(update={"method": "ftp-wst", "tiles": 9, "work": 1.25})
    assert "1.25 times the work" in explain_plan(INFO.model_copy(update={"plan": tiles}), alone)


def test_plans_that_were_considered_are_shown():
    considered = PredictedPlan(
        plan="whole frames", devices=("attic",), latency_s=0.06, frames_per_s=16.4, frame_bytes=0, memory_bytes=1,
        limit="attic", used=True, measured_s=0.07,
    )  # fmt: skip
    facts = facts_of(info=INFO.model_copy(update={"predicted": (considered,)}))
    (shown,) = plan_view(status_of(facts), facts.info, "")["considered"]
    assert (shown["plan"], shown["latency_s"], shown["measured_s"], shown["used"]) == ("whole frames", 0.06, 0.07, True)


def test_zones_in_pixels_and_in_parts_look_alike():
    said = {"yard": {"coordinates": "0,0,384,0,384,288,0,288"}, "porch": {"coordinates": "0,0,0.5,0,0.5,0.5,0,0.5"}}
    section = CameraSection.model_validate({"source": "test://", "zones": said})
    status = status_of(facts_of()).cameras["front_door"]
    areas = camera_view("front_door", status, section, ObjectsSection(), SETTINGS, states(section))["areas"]
    assert [area["name"] for area in areas] == ["yard", "porch"]
    assert areas[0]["corners"] == areas[1]["corners"]


def test_areas_in_pixels_wait_for_the_size_of_the_pictures():
    section = CameraSection.model_validate({"source": "test://", "zones": {"yard": {"coordinates": "0,0,9,0,9,9"}}})
    status = status_of(facts_of()).cameras["garden"]
    objects = ObjectsSection(mask=["0,0,1,0,1,1"])
    view = camera_view("garden", status, section, objects, SETTINGS, states(section, objects))
    assert [(area["name"], area["zone"]) for area in view["areas"]] == [("objects", False)]
    assert view["title"] == "garden"


def test_a_source_with_a_password_is_not_shown():
    section = CameraSection.model_validate({"source": "rtsp://me:topsecret@10.0.0.9/live"})
    status = status_of(facts_of()).cameras["garden"]
    assert "topsecret" not in json.dumps(
        camera_view("garden", status, section, ObjectsSection(), SETTINGS, states(section))
    )


def test_events_are_newest_first():
    events = [
        ObjectEvent(
            type=EventType.NEW, id=name, camera="door", label="person", score=0.8, top_score=0.8, box=(0, 0, 1, 1),
            box_rel=(0, 0, 1, 1), start_time=1.0,
        )
        for name in ("first", "second")
    ]  # fmt: skip
    happened = [BridgeEvent(type=BridgeEventType.NODE_LOST, name=name, at=1.0) for name in ("attic", "shed")]
    view = events_view({event.id: ObjectRecord(event, 0.0) for event in events}, ["first"], happened)
    assert [(found["id"], found["picture"]) for found in view["objects"]] == [("second", False), ("first", True)]
    assert [event["name"] for event in view["cluster"]] == ["shed", "attic"]


def test_the_columns_of_a_plot_have_one_length():
    view = history_view([PastMinute(60.0, 120, 2, 50.0, 90.0), PastMinute(120.0, 0, 0, None, None)])
    assert view["frames_per_s"] == [2.0, 0.0]
    assert {len(column) for column in view.values()} == {2}


def plan_named(name, latency_s, frames_per_s=1.0, **said):
    return PredictedPlan(
        plan=name, devices=("attic",), latency_s=latency_s, frames_per_s=frames_per_s, frame_bytes=0, memory_bytes=0,
        limit="attic", **said,
    )  # fmt: skip


def test_the_plan_that_won_is_told_with_the_next_best_and_with_the_one_for_many_frames():
    tiles, whole = plan_named("tiles", 0.12, 4.0, used=True), plan_named("whole frames", 0.3, 8.0, used=True)
    refused, slow, slower = plan_named("a", 0.1, refused="no memory"), plan_named("b", 0.18), plan_named("c", 0.2)
    assert explain_choice([slower, tiles, whole, refused, slow]) == (
        "of 5 plans, tiles is predicted to end a frame alone in 120 ms; the next best, b, in 180 ms; while many frames "
        "are under way, whole frames computes more: 8 a second"
    )
    assert explain_choice([whole]) == "whole frames is predicted to end a frame alone in 300 ms"
    assert explain_choice([slow]) == explain_choice([]) == ""
