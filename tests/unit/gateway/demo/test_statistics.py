from __future__ import annotations

import pytest

from gateway.demo.statistics import ClusterStatistics
from shared.mqtt import topics


class Board:
    """Stands for the bus: hands messages, made by hand, to whoever subscribed to their topic."""

    def __init__(self):
        self.handlers = {}

    def on(self, topic, handler, name="+"):
        self.handlers[topic.path] = (handler, name)

    def say(self, topic, payload, name=""):
        handler, _ = self.handlers[topic.path]
        handler(name, topic.message.model_validate(payload))


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def statistics(board):
    return ClusterStatistics(board, "campus", ("edge-1", "edge-2"))


def detections(number=0, labels=(), total=100.0, nodes=None):
    return {
        "camera": "campus", "frame": f"f{number}", "number": number, "captured_at": 0, "published_at": 1,
        "latency_ms": {
            "total": total, "transfer": 1, "prepare": 2, "tiles": total - 10, "order": 5, "tail": 3, "decode": 4,
        },
        "model": "m", "grid": "2x2", "image": [768, 576],
        "objects": [
            {"label": label, "score": 0.5, "box": [0, 0, 1, 1], "box_rel": [0, 0, 1, 1]} for label in labels
        ],
        "nodes": nodes or {"edge-1": {"own": 4}},
    }  # fmt: skip


def stats(ended=False, **counts):
    return {"camera": "campus", "node": "edge-1", "counts": counts, "ended": ended}


def node(epoch=1, state="online", **tcp):
    return {"state": state, "address": "", "version": "", "epoch": epoch, "bytes": tcp}


def test_a_summary_of_nothing_is_all_zeros(statistics):
    summary = statistics.summary()
    assert (summary["frames_captured"], summary["frames_published"], summary["frames_dropped"]) == (0, 0, {})
    assert summary["tiles"] == {"edge-1": {"own": 0, "stolen": 0}, "edge-2": {"own": 0, "stolen": 0}}
    assert summary["latency_ms"]["p50"] == 0
    assert (summary["objects"], summary["max_abs_diff"]) == ({}, None)


def test_frames_are_counted_as_the_camera_says(board, statistics):
    board.say(topics.CAMERA_STATS, stats(captured=9, published=6, dropped={"superseded": 2, "deadline": 1}))
    summary = statistics.summary()
    assert (summary["frames_captured"], summary["frames_published"]) == (9, 6)
    assert summary["frames_dropped"] == {"superseded": 2, "deadline": 1}


def test_tiles_are_added_up_over_frames(board, statistics):
    for number in range(3):
        nodes = {"edge-1": {"own": 3}, "edge-2": {"stolen": 1}}
        board.say(topics.DETECTIONS, detections(number, nodes=nodes), "campus")
    summary = statistics.summary()
    assert summary["detections_seen"] == 3
    assert summary["tiles"] == {"edge-1": {"own": 9, "stolen": 0}, "edge-2": {"own": 0, "stolen": 3}}


def test_objects_are_means_over_frames_most_frequent_first(board, statistics):
    board.say(topics.DETECTIONS, detections(0, ["car", "person", "person"]))
    board.say(topics.DETECTIONS, detections(1, ["person"]))
    assert list(statistics.summary()["objects"].items()) == [("person", 1.5), ("car", 0.5)]


def test_latency_is_told_by_percentile_and_stage(board, statistics):
    for number in range(101):
        board.say(topics.DETECTIONS, detections(number, total=100.0 + number))
    latency = statistics.summary()["latency_ms"]
    assert (latency["p50"], latency["p95"]) == (150.0, 195.0)
    assert set(latency["stages"]) == {"transfer", "prepare", "tiles", "order", "tail", "decode"}
    assert latency["stages"]["tiles"] == {"p50": 140.0, "p95": 185.0}
    assert latency["stages"]["decode"] == {"p50": 4.0, "p95": 4.0}


def test_the_largest_difference_is_kept(board, statistics):
    for number, difference in enumerate([1e-6, 3e-6, 2e-6]):
        board.say(topics.BRIDGE_VERIFICATION, {"frame": f"f{number}", "max_abs_diff": difference, "map_std": 1.0})
    assert statistics.summary()["max_abs_diff"] == 3e-6


def test_a_difference_of_zero_is_not_the_same_as_none(board, statistics):
    board.say(topics.BRIDGE_VERIFICATION, {"frame": "f", "max_abs_diff": 0.0, "map_std": 1.0})
    assert statistics.summary()["max_abs_diff"] == 0.0


def test_bytes_are_told_by_plane(board, statistics):
    edges = {"edge-1": node(tcp_tile=10, tcp_frame=5, mqtt=3), "edge-2": node(tcp_tile=7, mqtt=4)}
    board.say(topics.BRIDGE_NODES, {"nodes": edges, "gateway_bytes": {"tcp_result": 20, "mqtt": 6}})
    assert statistics.summary()["bytes"] == {
        "tcp": {"frame": 5, "result": 20, "tile": 17}, "mqtt": {"edge-1": 3, "edge-2": 4, "gateway": 6},
    }  # fmt: skip


def test_the_cluster_is_ready_when_every_edge_has_a_plan(board, statistics):
    board.say(topics.BRIDGE_NODES, {"nodes": {"edge-1": node(epoch=1)}})
    assert not statistics.edges_ready.is_set()
    board.say(topics.BRIDGE_NODES, {"nodes": {"edge-1": node(epoch=1), "edge-2": node(epoch=0)}})
    assert not statistics.edges_ready.is_set()
    board.say(topics.BRIDGE_NODES, {"nodes": {"edge-1": node(epoch=1), "edge-2": node(epoch=1), "other": node(0)}})
    assert statistics.edges_ready.is_set()


def test_the_edges_are_gone_when_all_are_offline(board, statistics):
    gone = node(epoch=0, state="offline")
    board.say(topics.BRIDGE_NODES, {"nodes": {"edge-1": gone, "edge-2": node(epoch=0)}})
    assert not statistics.edges_offline.is_set()
    board.say(topics.BRIDGE_NODES, {"nodes": {"edge-1": gone, "edge-2": gone}})
    assert statistics.edges_offline.is_set()


def test_everything_is_seen_when_the_camera_has_ended_and_all_its_frames_came(board, statistics):
    board.say(topics.DETECTIONS, detections(0))
    board.say(topics.CAMERA_STATS, stats(captured=2, published=2))
    assert not statistics.camera_ended.is_set()
    board.say(topics.CAMERA_STATS, stats(ended=True, captured=2, published=2))
    assert statistics.camera_ended.is_set()
    assert not statistics.all_received.is_set()
    board.say(topics.DETECTIONS, detections(1))
    assert statistics.all_received.is_set()


@pytest.mark.parametrize(("state", "there"), [("online", True), ("offline", False)])
def test_the_gateway_is_there_when_it_says_so(board, statistics, state, there):
    board.say(topics.BRIDGE_STATE, {"state": state, "protocol": 1})
    assert statistics.gateway_online.is_set() is there


def test_only_one_camera_is_followed(board, statistics):  # noqa: ARG001  (the statistics subscribes)
    assert {board.handlers[topic.path][1] for topic in (topics.DETECTIONS, topics.CAMERA_STATS)} == {"campus"}
