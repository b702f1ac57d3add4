from gateway.observation.scene.counting_reasons import ExplainedObject, SceneExplanation, UncountedObject
from gateway.page.frame_views import frame_view, uncounted_view
from shared.payloads.cluster import FrameDetections, Latency
from shared.payloads.fields import RelativeBox
from tests.unit.gateway.observation.scene.filming import person

BOXES = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]
SEEN = FrameDetections(
    camera="door", frame="door-1-2", number=2, captured_at=5.0, published_at=5.1, model="m", grid="1x2",
    image=(1000, 500), objects=(person(500),), nodes={},
    latency_ms=Latency(total=100.0, transfer=0, prepare=0, tiles=0, tail=0, decode=0),
)  # fmt: skip
COUNTS = ExplainedObject("person", 0.8, RelativeBox((0.1, 0.2, 0.3, 0.4)), "", "id-1", {"porch": "in it"})


def test_each_tile_has_the_device_that_computed_it():
    view = frame_view(SEEN, None, "attic", BOXES, {0: "attic", 1: "shed"})
    assert view["tiles"] == [
        {"box": [0.0, 0.0, 0.5, 1.0], "node": "attic"}, {"box": [0.5, 0.0, 1.0, 1.0], "node": "shed"},
    ]  # fmt: skip
    assert (view["owner"], view["frame"], view["size"], view["latency_ms"]) == ("attic", "door-1-2", [1000, 500], 100.0)


def test_objects_are_explained_by_the_same_frame():
    view = frame_view(SEEN, SceneExplanation("door-1-2", (COUNTS,)), "attic", [], {})
    assert view["objects"] == [
        {
            "label": "person", "score": 0.8, "box": [0.1, 0.2, 0.3, 0.4], "id": "id-1", "counts": True, "why": "",
            "zones": {"porch": "in it"},
        }
    ]  # fmt: skip


def test_an_explanation_of_another_frame_explains_nothing():
    (found,) = frame_view(SEEN, SceneExplanation("door-1-1", (COUNTS,)), "attic", [], {})["objects"]
    assert (found["label"], found["id"]) == ("person", "")


def test_objects_that_never_counted_are_newest_first():
    found = [UncountedObject(name, "person", 1.0, 2.0, f"why {name}") for name in ("a", "b")]
    assert [each["why"] for each in uncounted_view(found)] == ["why b", "why a"]
