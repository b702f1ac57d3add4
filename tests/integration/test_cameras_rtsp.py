"""Cameras on a real RTSP server, with all that happens to them."""

from __future__ import annotations

import contextlib
import time
from contextlib import closing

import pytest

from camera_sources.kinds.lag import LATE_S as PICTURE_LATE_S
from camera_sources.open_source import open_source
from shared.payloads.cluster import State
from tests.cameras import LOGIN, UNSEEN, assigned, difficult_rtsp_camera, edge_side, require_rtsp_server, rtsp_camera

STALE_S = 2.0
LATE_S = 1.0
"""For telling it, on a busy machine."""


@pytest.fixture(autouse=True)
def server_and_secrets(capfd):
    require_rtsp_server()
    yield
    assert UNSEEN not in "".join(capfd.readouterr())


def url(server, path="camera", login=LOGIN):
    return f"rtsp://{login}@{server.address}/{path}"


@pytest.mark.slow
async def test_a_camera_that_freezes_dies_and_comes_back_as_another_is_followed_all_the_time():
    with rtsp_camera("320", "240", "h264", LOGIN) as server:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras({"front": assigned(url(server), stale_after=STALE_S)})
            await edge.until_online()
            await edge.until_more(5)
            assert (edge.newest().width, edge.newest().height) == (320, 240)
            server.freeze()
            frozen_at = edge.newest().captured_at
            assert await edge.until_offline("no picture for 2 s") <= STALE_S + LATE_S
            count = edge.count()
            server.thaw()
            await edge.until_online()
            await edge.until_more(5)
            later = [info.captured_at for info, _ in edge.frames["front"][count:]]
            assert min(later) > frozen_at + STALE_S  # nothing from before is played again
            server.kill()
            assert await edge.until_offline("") <= STALE_S + LATE_S
            await edge.until_offline("not reachable")
            server.start("640", "360", "h264", LOGIN)
            await edge.until_online()
            await edge.until_more(2)
            assert (edge.newest().width, edge.newest().height) == (640, 360)
            assert (edge.stats["front"].width, edge.stats["front"].height) == (640, 360)


async def test_everything_that_can_be_wrong_has_its_reason():
    with rtsp_camera("320", "240", "h264", LOGIN) as good, rtsp_camera("320", "240", "alaw") as deaf:
        wrong = {
            "password": (url(good, login="me:other"), "wrong password"),
            "nobody": (f"rtsp://{good.address}/camera", "it requires a user and a password"),
            "path": (url(good, path="other"), "no such path (404)"),
            "audio": (url(deaf), "codec not decodable: the stream has no video"),
            "port": (f"rtsp://{LOGIN}@127.0.0.1:9/camera", "not reachable: connection refused"),
            "host": (f"rtsp://{LOGIN}@nowhere.invalid/camera", "not reachable: host name not found"),
        }
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {name: assigned(source, stale_after=STALE_S) for name, (source, _) in wrong.items()}
            )
            for name, (_, reason) in wrong.items():
                await edge.until_offline(reason, name)
            good.kill()
            good.start("320", "240", "h264", "me:other")
            edge.supervisor.restart_camera("password")  # by itself it would not ask again for minutes
            await edge.until_online("password")
            assert edge.state("nobody")[0] is State.OFFLINE


REFUSALS = {
    "describe": ("DESCRIBE", 406, "it sends no stream description in SDP (406)"),
    "setup": ("SETUP", 453, "not enough bandwidth: too many clients are connected to it (453)"),
    "transport": ("SETUP", 461, "it streams neither over TCP nor over UDP (461)"),
    "play": ("PLAY", 503, "it is overloaded, or still starting (503)"),
    "other": ("PLAY", 456, "it answers PLAY with 456 In Words"),
}


async def test_a_stream_that_is_refused_has_the_reason_of_the_answer():
    with contextlib.ExitStack() as cameras:
        servers = {
            name: cameras.enter_context(difficult_rtsp_camera("--answer", method, str(status)))
            for name, (method, status, _) in REFUSALS.items()
        }
        servers["udp"] = cameras.enter_context(difficult_rtsp_camera("--udp"))
        servers["sha"] = cameras.enter_context(difficult_rtsp_camera("--login", LOGIN, "--hash", "SHA-256"))
        reasons = {name: reason for name, (_, _, reason) in REFUSALS.items()}
        reasons |= {"udp": "it streams over UDP only; write transport: udp", "sha": "only digest logins with SHA-256"}
        settings = {"udp": {"transport": "tcp"}}
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {name: assigned(url(server), stale_after=STALE_S, **settings.get(name, {}))
                 for name, server in servers.items()}
            )  # fmt: skip
            for name, reason in reasons.items():
                await edge.until_offline(reason, name)


async def test_a_wrong_password_is_sent_once_and_then_not_for_minutes():
    with difficult_rtsp_camera("--login", "me:other") as server:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras({"front": assigned(url(server), stale_after=STALE_S)})
            await edge.until_offline("wrong password; trying again after 5 min")
        assert server.stop_and_read() == ["wrong"]


async def test_a_camera_is_read_over_the_transport_that_it_has():
    with rtsp_camera("320", "240", "h264", "", "udp") as udp, rtsp_camera("320", "240", "h264", "", "tcp") as tcp:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {"auto": assigned(f"rtsp://{udp.address}/camera"), "tcp": assigned(f"rtsp://{tcp.address}/camera"),
                 "udp": assigned(f"rtsp://{udp.address}/camera", transport="udp")}
            )  # fmt: skip
            for camera in ("auto", "tcp", "udp"):
                await edge.until_more(3, camera)


@pytest.mark.slow
def test_a_device_that_is_too_slow_for_a_stream_goes_on_with_the_newest_picture():
    """One that takes pictures at a third of the speed at which they come."""
    with rtsp_camera("320", "240", "h264") as server, contextlib.ExitStack() as stack:
        grabs = stack.enter_context(closing(open_source(f"rtsp://{server.address}/camera").grabs()))
        late = [[0.0]]
        while len(late) < 3:  # decoded by one thread, then by all, then begun anew
            grab = next(grabs)
            if grab.late_s < late[-1][-1] - PICTURE_LATE_S / 2:
                late.append([])
            late[-1].append(grab.late_s)
            assert time.time() - grab.captured_at == pytest.approx(grab.late_s, abs=0.5)
            time.sleep(0.2)  # what a slow device needs for a picture
        one, all_of_them, anew = map(max, late)
        assert 1 < one <= PICTURE_LATE_S
        assert PICTURE_LATE_S < all_of_them < PICTURE_LATE_S + 1
        assert anew < 1
