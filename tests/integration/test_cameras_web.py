"""Cameras on a real web server: Motion JPEG and snapshots, with all that happens to them."""

from __future__ import annotations

import pytest

from shared.messages import State
from tests.cameras import LOGIN, SECRET, assigned, desk, web_camera

STALE_S = 1.5
LATE_S = 1.0
"""For telling it, on a busy machine."""


@pytest.fixture(autouse=True)
def secrets(capfd):
    yield
    assert SECRET not in "".join(capfd.readouterr())


def url(server, path, login=LOGIN):
    return f"http://{login}@{server.address}/{path}"


@pytest.mark.parametrize(("path", "reason"), [("stream", "no picture for 1.2 s"), ("picture", "it does not answer")])
async def test_a_camera_that_freezes_dies_and_comes_back_as_another_is_followed_all_the_time(path, reason):
    with web_camera("--login", LOGIN, "--auth", "digest") as server:
        async with desk() as edge:
            edge.supervisor.assign({"front": assigned(url(server, path), stale_after=STALE_S, fps=10)})
            await edge.until_online()
            await edge.until_more(5)
            server.freeze()
            frozen_at = edge.newest().captured_at
            assert await edge.until_offline(reason) <= STALE_S + LATE_S
            count = edge.count()
            server.thaw()
            await edge.until_online()
            await edge.until_more(5)
            later = [info.captured_at for info, _ in edge.frames["front"][count:]]
            assert min(later) > frozen_at + STALE_S  # nothing from before is played again
            server.kill()
            assert await edge.until_offline("not reachable") <= STALE_S + LATE_S
            server.start("--size", "128x96")
            await edge.until_online()
            await edge.until_more(2)
            assert (edge.newest().width, edge.newest().height) == (128, 96)


async def test_everything_that_can_be_wrong_has_its_reason():
    with (
        web_camera("--login", LOGIN, "--auth", "digest") as digest,
        web_camera("--login", LOGIN) as basic,
        web_camera("--body", "garbage") as garbage,
        web_camera("--body", "html") as html,
        web_camera("--delay", "4") as slow,
    ):
        wrong = {
            "digest": (url(digest, "stream", "me:other"), "wrong password"),
            "basic": (url(basic, "picture", "me:other"), "wrong password"),
            "nobody": (f"http://{basic.address}/stream", "it wants a user and a password"),
            "path": (url(basic, f"{SECRET}?token={SECRET}"), "no such path (404)"),
            "garbage": (url(garbage, "stream"), "codec not decodable: what it sends is no picture"),
            "page": (url(html, "stream"), "codec not decodable: it sends text/html"),
            "slow": (url(slow, "stream"), "no picture for 1.2 s"),
            "tls": (f"https://{LOGIN}@{basic.address}/stream", "not reachable: TLS failed"),
            "port": (f"http://{LOGIN}@127.0.0.1:9/stream", "not reachable: connection refused"),
        }
        async with desk() as edge:
            edge.supervisor.assign({name: assigned(source, stale_after=STALE_S) for name, (source, _) in wrong.items()})
            for name, (_, reason) in wrong.items():
                await edge.until_offline(reason, name)
            digest.kill()
            digest.start("--login", "me:other", "--auth", "digest")
            await edge.until_online("digest")
            assert edge.state("basic")[0] is State.OFFLINE


async def test_a_login_and_a_redirection_are_gone_through():
    with web_camera("--login", LOGIN) as basic, web_camera("--login", LOGIN, "--auth", "digest") as digest:
        async with desk() as edge:
            edge.supervisor.assign(
                {"basic": assigned(url(basic, "moved")), "digest": assigned(url(digest, "moved")),
                 "snapshots": assigned(url(basic, "picture"), kind="snapshot", fps=5)}
            )  # fmt: skip
            for camera in ("basic", "digest", "snapshots"):
                await edge.until_more(3, camera)


async def test_a_camera_that_is_slower_than_others_but_not_stale_stays_online():
    with web_camera("--delay", "0.7") as slow:
        async with desk() as edge:
            edge.supervisor.assign({"front": assigned(url(slow, "stream"), stale_after=STALE_S)})
            await edge.until_more(4)
    online = [said.state is State.ONLINE for said in edge.everything if said.counts.captured and not said.ended]
    assert all(online)
    assert online
