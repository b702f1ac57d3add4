"""Cameras on a real web server: Motion JPEG and snapshots, with all that happens to them."""

from __future__ import annotations

import subprocess
import time

import pytest

from shared.payloads.cluster import State
from tests.cameras import LOGIN, UNSEEN, assigned, edge_side, web_camera

STALE_S = 1.5
LATE_S = 1.0
"""For telling it, on a busy machine."""


@pytest.fixture(autouse=True)
def secrets(capfd):
    yield
    assert UNSEEN not in "".join(capfd.readouterr())


def url(server, path, login=LOGIN):
    return f"http://{login}@{server.address}/{path}"


@pytest.mark.slow
async def test_a_camera_that_freezes_dies_and_comes_back_as_another_is_followed_all_the_time():
    reasons = {"stream": "no picture for 1.2 s", "picture": "it does not answer"}
    with web_camera("--login", LOGIN, "--auth", "digest") as server:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {path: assigned(url(server, path), stale_after=STALE_S, fps=10) for path in reasons}
            )
            for path in reasons:
                await edge.until_more(5, path)
                await edge.until_online(path)
            server.freeze()
            frozen_at = time.time()
            for path, reason in reasons.items():
                await edge.until_offline(reason, path)
            assert time.time() - frozen_at <= STALE_S + LATE_S
            counts = {path: edge.count(path) for path in reasons}
            server.thaw()
            for path in reasons:
                await edge.until_online(path)
                await edge.until_more(1, path)
                later = [info.captured_at for info, _ in edge.frames[path][counts[path] :]]
                assert min(later) > frozen_at + STALE_S  # nothing from before is played again
            server.kill()
            killed_at = time.time()
            for path in reasons:
                await edge.until_offline("", path)
            assert time.time() - killed_at <= STALE_S + LATE_S
            for path in reasons:
                await edge.until_offline("not reachable", path)
            server.start("--size", "128x96")
            for path in reasons:
                await edge.until_online(path)
                await edge.until_more(1, path)
                assert (edge.newest(path).width, edge.newest(path).height) == (128, 96)


async def test_everything_that_can_be_wrong_has_its_reason():
    with web_camera("--login", LOGIN, "--auth", "digest") as digest, web_camera("--login", LOGIN) as basic:
        wrong = {
            "digest": (url(digest, "stream", "me:other"), "wrong password"),
            "basic": (url(basic, "picture", "me:other"), "wrong password"),
            "nobody": (f"http://{basic.address}/stream", "it requires a user and a password"),
            "away": (url(basic, "away"), "it requires a user and a password"),  # ours is not for another host
            "path": (url(basic, f"{UNSEEN}?token={UNSEEN}"), "no such path (404)"),
            "garbage": (url(digest, "garbage"), "codec not decodable: the data is not a picture"),
            "page": (url(basic, "page"), "codec not decodable: it sends text/html"),
            "late": (url(basic, "late"), "no picture for 1.2 s"),
            "tls": (f"https://{LOGIN}@{basic.address}/stream", "not reachable: it does not speak TLS on that port"),
            "port": (f"http://{LOGIN}@127.0.0.1:9/stream", "not reachable: connection refused"),
        }
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {name: assigned(source, stale_after=STALE_S) for name, (source, _) in wrong.items()}
            )
            for name, (_, reason) in wrong.items():
                await edge.until_offline(reason, name)
            digest.kill()
            digest.start("--login", "me:other", "--auth", "digest")
            edge.supervisor.restart_camera("digest")  # by itself it would not ask again for minutes
            await edge.until_online("digest")
            assert edge.state("basic")[0] is State.OFFLINE


async def test_a_login_and_a_redirection_are_gone_through():
    with web_camera("--login", LOGIN) as basic, web_camera("--login", LOGIN, "--auth", "digest") as digest:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {"basic": assigned(url(basic, "moved")), "digest": assigned(url(digest, "moved")),
                 "snapshots": assigned(url(basic, "picture"), kind="snapshot", fps=5)}
            )  # fmt: skip
            for camera in ("basic", "digest", "snapshots"):
                await edge.until_more(3, camera)


def self_signed(folder):
    """A file with a certificate and its key."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    key.write_text(key.read_text() + certificate.read_text())
    return str(key)


async def test_a_camera_that_signs_its_own_certificate_is_read(tmp_path):
    with web_camera("--login", LOGIN, "--tls", self_signed(tmp_path)) as server:
        async with edge_side() as edge:
            secure = url(server, "stream").replace("http", "https")
            edge.supervisor.assign_cameras({"front": assigned(secure)})
            await edge.until_more(3)


@pytest.mark.slow
async def test_a_camera_that_is_slower_than_others_but_not_stale_stays_online():
    with web_camera() as server:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras({"front": assigned(f"http://{server.address}/slow", stale_after=STALE_S)})
            await edge.until_more(4)
    online = [said.state is State.ONLINE for said in edge.reports if said.counts.captured and not said.ended]
    assert all(online)
    assert online


@pytest.mark.slow
async def test_cameras_that_do_not_keep_to_the_rules_are_read_all_the_same():
    with web_camera("--login", LOGIN, "--fps", "10") as server:
        paths = {"chunked": "chunked", "bare": "bare", "damaged": "damaged", "closed": "closed/picture"}
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {camera: assigned(url(server, path), fps=10) for camera, path in paths.items()}
            )
            for camera in paths:
                await edge.until_more(20, camera, timeout_s=10)
    assert all(said.state is State.ONLINE for said in edge.reports if said.counts.captured and not said.ended)


async def test_a_camera_that_cannot_be_reached_again_is_offline_long_before_it_is_stale():
    with web_camera("--login", LOGIN) as server:
        async with edge_side() as edge:
            edge.supervisor.assign_cameras(
                {path: assigned(url(server, path), stale_after=60, fps=10) for path in ("stream", "picture")}
            )
            for path in ("stream", "picture"):
                await edge.until_more(3, path)
            server.kill()
            for path in ("stream", "picture"):
                assert await edge.until_offline("not reachable: connection refused", path) < 5
