"""The commands, as a user types them."""

from __future__ import annotations

import asyncio
import json
import socket

import cv2
import numpy as np
import pytest

from camera_sources.kinds.picture_folder import read_picture
from camera_sources.source import FOOTAGE
from shared.errors import ConfigurationError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from tests.commands import DEEPTHINGS, run
from tests.extent import one_in
from tests.harness import broker_at, running_cluster
from tests.ports import free_port


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "campus.png"
    capture = cv2.VideoCapture(str(FOOTAGE))
    cv2.imwrite(str(path), capture.read()[1])
    return path


async def test_the_demo_shows_three_edges_sharing_real_footage_exactly(tmp_path):
    """What the project promises, in one run: see also the README."""
    port = free_port()
    bus, seen = Bus(Address(LOOPBACK, port), "subscriber"), []
    bus.on(topics.DETECTIONS, lambda _, detections: seen.append(detections))
    subscriber = asyncio.create_task(bus.run())
    demo = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "demo", "--headless", "--frames", "40", "--edges", "3", "--method", "ftp-wst", "--json", "--port",
        str(port), cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(demo.communicate(), 110)
    subscriber.cancel()
    await asyncio.gather(subscriber, return_exceptions=True)
    assert demo.returncode == 0, err.decode()
    summary = json.loads(out.decode().splitlines()[-1])

    assert summary["frames_captured"] == 40
    assert summary["frames_captured"] == summary["frames_published"] + sum(summary["frames_dropped"].values())
    assert summary["frames_published"] > 0
    assert summary["max_abs_diff"] <= 1e-5
    assert summary["objects"]["person"] >= 4
    tiles = summary["tiles"]
    assert set(tiles) == {"edge-1", "edge-2", "edge-3"}
    assert sum(tile["own"] + tile["stolen"] for tile in tiles.values()) == 9 * summary["frames_published"]
    assert tiles["edge-1"]["own"] > 0
    assert tiles["edge-2"]["own"] == tiles["edge-3"]["own"] == 0
    assert tiles["edge-2"]["stolen"] > 0
    assert tiles["edge-3"]["stolen"] > 0
    stages = summary["latency_ms"]["stages"]
    assert set(stages) == {"transfer", "prepare", "tiles", "order", "tail", "decode"}
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]
    sent = summary["bytes"]["tcp"]
    assert 0 < sent["frame"] < 768 * 576 * 3, "cameras and edges of one machine share memory"
    assert sent["result"] > 128 * 52 * 52 * 4 * summary["frames_published"]
    assert min(summary["bytes"]["mqtt"].values()) > 0
    assert summary["frames_published"] == summary["detections_seen"] == len(seen)
    assert f"mosquitto_sub -p {port}" in " ".join(err.decode().split())
    assert read_picture(tmp_path / "demo-output" / "campus.png").shape == (576, 768, 3)


@pytest.mark.slow
def test_detect_finds_people_whatever_the_grid_and_draws_them(picture, tmp_path):
    answers = [
        run("detect", str(picture), "--grid", grid, "--json", "--out", str(tmp_path / f"{grid}.png"))
        for grid in ("1x1", "3x3")
    ]
    whole, tiled = (json.loads(answer.stdout) for answer in answers)
    assert whole == tiled
    assert sum(found["label"] == "person" for found in whole["objects"]) >= 4
    drawn, original = read_picture(tmp_path / "3x3.png"), read_picture(picture)
    changed = (drawn != original).any(axis=2)
    left, top, _right, bottom = (int(value) for value in whole["objects"][0]["box"])
    assert changed[top + 20 : bottom - 2, left].all()
    assert 0.001 < changed.mean() < 0.2
    words = run("detect", str(picture)).stdout
    assert words.startswith(f"{picture}: person 0.")


@pytest.mark.slow
def test_detect_writes_several_pictures_into_a_folder(picture, tmp_path):
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), np.zeros((40, 900, 3), np.uint8))
    done = run("detect", str(picture), str(other), "--out", str(tmp_path / "drawn"))
    assert done.returncode == 0, done.stderr
    assert f"{other}: nothing found" in done.stdout
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"campus.png", "other.png"}


@pytest.mark.parametrize("grid", one_in(3, ["3x3", "1x2", "5x5"]))
def test_verify_proves_the_tiles_exact(grid):
    done = run("verify", "--grid", grid, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["max_abs_diff"] <= 1e-5
    assert report["map_std"] > 0.05
    assert report["model"] == "nanodet-g"
    assert report["tiles"] == int(grid[0]) * int(grid[2])


@pytest.mark.slow
async def test_watch_follows_the_detections_in_words_and_in_json(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster:
        await cluster.start_camera("front", "edge-1", "--loop")
        broker = str(cluster.broker)
        words = await asyncio.to_thread(run, "watch", "--gateway", broker, "--frames", "2")
        lines = await asyncio.to_thread(
            run, "watch", "--gateway", broker, "--frames", "3", "--json", "--camera", "front"
        )
    assert words.returncode == lines.returncode == 0
    assert all(
        " front #" in line and "person" in line and "tiles: edge-1" in line for line in words.stdout.splitlines()
    )
    frames = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [frame["camera"] for frame in frames] == ["front"] * 3
    assert frames[0]["number"] < frames[1]["number"] < frames[2]["number"]


def bad_inputs(folder):
    """Command, exit code, and words that the one line of the error must have."""
    text = folder / "notes.txt"
    text.write_text("no video")
    text.with_suffix(".mp4").write_bytes(FOOTAGE.read_bytes()[:3000])
    (folder / "empty").mkdir()
    camera = ("camera", "--name", "front", "--edge", "127.0.0.1:9", "--source")
    return [
        (("demo", "--source", "nowhere.mp4"), 1, "nowhere.mp4 does not exist"),
        (("demo", "--source", str(text.with_suffix(".mp4"))), 1, "broken, or not a video"),
        (("demo", "--headless", "--grid", "99x99"), 2, "larger than the map"),
        (("demo", "--headless", "--model", "yolov99"), 2, "unknown model"),
        ((*camera, str(text)), 1, "broken, or not a video"),
        ((*camera, str(folder / "empty")), 1, "contains no pictures"),
        (("frobnicate",), 2, "No such command"),
    ]


def test_bad_input_is_one_line_that_says_what_to_do(tmp_path):
    for arguments, code, words in bad_inputs(tmp_path):
        done = run(*arguments, timeout_s=30, cwd=tmp_path)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert done.returncode == code, (arguments, done.stderr)
        assert len(errors) == 1, (arguments, done.stderr)
        assert words in errors[0], (arguments, errors[0])
        assert "Traceback" not in done.stderr, (arguments, done.stderr)


@pytest.mark.slow
def test_a_used_port_and_a_missing_mosquitto_are_errors_of_gateway_and_demo(tmp_path):
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        port = str(held.getsockname()[1])
        for command in (("gateway", "--cluster-port", str(free_port())), ("demo", "--headless")):
            done = run(*command, "--port", port, timeout_s=30, cwd=tmp_path)
            assert done.returncode == 1
            assert "choose another --port" in done.stderr
            assert "Traceback" not in done.stderr


async def test_an_address_that_is_not_here_ends_an_edge_as_soon_as_its_name_is_its_own(tmp_path):
    """Before that it opens no port: there must be a broker to ask."""
    broker = Address(LOOPBACK, free_port())
    async with broker_at(broker):
        options = ("--gateway", str(broker), "--insecure", "--listen", "192.0.2.1", "--cache", str(tmp_path))
        done = await asyncio.to_thread(run, "edge", *options, timeout_s=30)
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "cannot listen on 192.0.2.1" in error


@pytest.mark.slow
async def test_an_edge_that_has_no_gateway_goes_on_trying_and_stops_when_told():
    edge = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "edge", "--gateway", f"{LOOPBACK}:{free_port()}", "--name", "lonely",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert edge.stderr is not None
    said = ""
    async with asyncio.timeout(30):
        while "has not answered for 10 s" not in said:
            said += (await edge.stderr.readline()).decode()
        edge.terminate()
        assert await edge.wait() == 0
        await edge.stderr.read()
    assert said.count("connection refused") == said.count("trying again") == 1, "each reason is told once"


@pytest.mark.parametrize(
    "command",
    [("gateway", "--cluster-port", "0", "--data-port", "0", "--broker"), ("edge", "--gateway")],
    ids=["gateway", "edge"],
)
async def test_without_keys_another_address_than_loopback_is_used_only_when_told_so_and_with_a_warning(command):
    command = [str(free_port()) if word == "0" else word for word in command]
    service = await asyncio.create_subprocess_exec(
        DEEPTHINGS, *command, f"{LOOPBACK}:{free_port()}", "--insecure", "--listen", "0.0.0.0",  # noqa: S104
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert service.stderr is not None
    said = ""
    async with asyncio.timeout(30):
        while "trying again" not in said:
            said += (await service.stderr.readline()).decode()
        service.terminate()
        assert await service.wait() == 0
        await service.stderr.read()
    assert "listens on 0.0.0.0 without keys: everybody who can reach it can see your cameras" in said


@pytest.mark.parametrize(
    ("command", "way"),
    [
        (("edge", "--listen", "0.0.0.0"), "use --listen 127.0.0.1"),  # noqa: S104
        (("edge", "--gateway", "192.0.2.1"), "start it on the gateway's machine"),
        (("camera", "--name", "door", "--source", "test://64x48?fps=5", "--edge", "192.0.2.1:7000"), "beside its edge"),
    ],
    ids=["edge that listens", "edge that connects", "camera"],
)
def test_without_keys_nothing_is_sent_or_opened_to_others_and_the_way_to_keys_is_said(command, way, tmp_path):
    done = run(*command, "--keys", str(tmp_path))
    assert done.returncode == ConfigurationError.exit_code
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "without keys: everybody who can reach it can see your cameras" in error
    assert "Type 'deepthings invite' at the gateway and the command that it prints here; or " in error
    assert way in error
    assert error.endswith("or write --insecure if that is what you want")
