"""A server that receives webhooks, and hooks that call it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass

from gateway.configuration.automation import HooksSection, WebhookSection
from gateway.integrations.hooks.runner import HookSet
from shared.network.addresses import LOOPBACK
from tests.settling import settled

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
DEADLINE_S = 15


def status(code, *headers):
    return "\r\n".join([f"HTTP/1.1 {code} Because", "Content-Length: 0", *headers, "", ""]).encode()


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes
    at: float


class Receiver:
    """A server that notes requests and answers with `answers` in turn, the last one again and again.

    An answer is bytes; None closes the connection without a word; a future is waited for first; a function writes.
    """

    def __init__(self, *answers):
        self.answers = list(answers) or [OK]
        self.requests = []
        self.at_once = self.most_at_once = 0
        self.port = 0
        self._news = asyncio.Event()
        self._serving = set()

    def url(self, path="/hook", host=LOOPBACK, scheme="http"):
        return f"{scheme}://{host}:{self.port}{path}"

    async def until(self, count):
        async with asyncio.timeout(DEADLINE_S):
            while len(self.requests) < count:
                self._news.clear()
                await self._news.wait()

    async def end(self):
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def serve(self, reader, writer):
        self._serving.add(asyncio.current_task())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append(Request(head[0], headers, body, time.monotonic()))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self._news.set()
            if isinstance(answer, asyncio.Future):
                answer = await answer
            if callable(answer):
                await answer(writer)
            elif answer is not None:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            self._serving.discard(asyncio.current_task())
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def receiving(*answers, tls=None):
    receiver = Receiver(*answers)
    server = await asyncio.start_server(receiver.serve, LOOPBACK, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.end()


@contextlib.asynccontextmanager
async def running(*webhooks):
    hooks = HookSet(HooksSection(webhooks=webhooks))
    task = asyncio.create_task(hooks.run())
    await settled()
    try:
        yield hooks
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def post_to(url, **settings):
    return WebhookSection(url=url, **settings)


async def account(hooks, **expected):
    """Wait until the only hook has nothing more to do; its account must say so then."""
    async with asyncio.timeout(DEADLINE_S):
        await hooks._dispatchers[0].drain()
    counts = counts_of(hooks)
    assert {name: getattr(counts, name) for name in expected} == expected
    assert counts.notified == counts.delivered + counts.failed + counts.dropped


def counts_of(hooks):
    (counts,) = hooks.counts().values()
    return counts
