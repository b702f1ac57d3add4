"""The web server of the page: there when somebody comes, away when nobody looks, and never a reason to stop."""

import asyncio
import contextlib
import socket

import httpx
import pytest

from gateway.page import web_server
from gateway.page.page_door import PageDoor
from gateway.page.viewers import Viewers
from gateway.page.web_server import WebServer
from shared.network.addresses import LOOPBACK, Address
from tests.ports import free_port


class FewPages:
    """In the place of a GatewayPage: a page with a stream that does not end by itself."""

    def __init__(self):
        self.viewers = Viewers(lambda: {"cluster": {}})
        self.requests = 0
        self.begun = self.ended = 0
        self.idle = False

    def begin(self):
        self.begun += 1

    async def end(self):
        self.ended += 1
        await self.viewers.close()

    def is_idle(self, _):
        return self.idle

    def counting(self, application):
        return application

    def metrics(self):
        return b"deepthings_problems 0\n"


@contextlib.asynccontextmanager
async def serving(page, port):
    task = asyncio.create_task(WebServer(page, PageDoor(Address(LOOPBACK, port))).run())
    try:
        await asyncio.sleep(0)
        yield task
    finally:
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)


async def test_it_is_loaded_for_the_first_browser_and_left_out_when_nobody_looks(monkeypatch):
    monkeypatch.setattr(web_server, "IDLE_CHECK_S", 0.05)
    page, port = FewPages(), free_port()
    async with serving(page, port), httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}") as browser:
        assert page.begun == 0
        assert (await browser.get("/")).status_code == 200
        assert page.begun == 1
        page.idle = True
        async with asyncio.timeout(10):
            while not page.ended:  # noqa: ASYNC110  (the page has no event for it)
                await asyncio.sleep(0.02)
        page.idle = False
        async with asyncio.timeout(10):
            while page.begun < 2:  # what comes while it ends is answered, too
                assert (await browser.get("/metrics")).text.startswith("deepthings_problems")


async def test_an_open_page_does_not_delay_the_end():
    page, port = FewPages(), free_port()
    async with (
        httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}") as browser,
        serving(page, port) as task,
        browser.stream("GET", "/api/stream") as answer,
    ):
        chunks = answer.aiter_bytes()
        assert b"event: cluster" in await anext(chunks)
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)
            assert [chunk async for chunk in chunks] == []
    assert page.ended == 1


async def test_a_taken_port_costs_the_page_and_nothing_else(caplog):
    page = FewPages()
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        async with serving(page, port) as task:
            await asyncio.sleep(0)
            assert not task.done()
    assert f"no page at http://{LOOPBACK}:{port}" in caplog.text
    assert "--page-port" in caplog.text


@pytest.mark.parametrize("path", ["/", "/api/stream", "/metrics"])
async def test_a_foreign_name_gets_nothing(path):
    page, port = FewPages(), free_port()
    async with serving(page, port), httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}") as browser:
        answer = await browser.get(path, headers={"Host": "evil.example"})
        assert (answer.status_code, b"event" in answer.content) == (403, False)
