"""The cost of ten onlookers at the page, in processor time: on the gateway's own machine, and with login and TLS.

To be run alone, with the figures: pytest --long -s tests/integration/test_page_onlookers.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import sys
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from camera_sources.source import FOOTAGE
from gateway.authority.cluster_keys import open_cluster_keys
from shared.files.program_folder import default_cache
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from tests.commands import run
from tests.harness import running_cluster, until_listening, until_said
from tests.members import edge_keys
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.long, pytest.mark.alone]

MAX_COST = 0.03
"""Of all cores: as much as the rate of detections may fall by."""

ONLOOKERS = 10
ROUNDS, MEASURED_S = 3, 10.0
"""With onlookers and without, in turns."""

MIN_PICTURES = 5
"""That each of them sees in one turn."""

PAGE_HEADERS = {"X-DeepThings": "page"}


class Onlooker:
    """Somebody who looks at a camera: an open stream of events, and one picture after the other."""

    def __init__(self, browser: Callable[[], httpx.AsyncClient]) -> None:
        self._browser = browser
        self.pictures = 0

    async def look(self) -> None:
        async with self._browser() as browser, asyncio.TaskGroup() as both:
            both.create_task(self._follow(browser))
            both.create_task(self._watch(browser))

    @staticmethod
    async def _follow(browser: httpx.AsyncClient) -> None:
        async with browser.stream("GET", "/api/stream") as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_raw():
                pass

    async def _watch(self, browser: httpx.AsyncClient) -> None:
        after = ""
        while True:
            answer = await browser.get("/api/cameras/campus/frame", params={"after": after})
            if answer.status_code == 200:
                length = int.from_bytes(answer.content[:4], "big")
                after = json.loads(answer.content[4 : 4 + length])["frame"]
                self.pictures += 1


async def cost_of_onlookers(pids: list[int], browser: Callable[[], httpx.AsyncClient]) -> float:
    """Return the processor time of gateway and edges that onlookers take, in cores."""
    processes = [psutil.Process(pid) for pid in pids]
    used = {0: 0.0, ONLOOKERS: 0.0}
    for number in (0, ONLOOKERS) * ROUNDS:
        onlookers = [Onlooker(browser) for _ in range(number)]
        looking = [asyncio.create_task(onlooker.look()) for onlooker in onlookers]
        await asyncio.sleep(2)
        used[number] -= sum(sum(process.cpu_times()[:2]) for process in processes)
        await asyncio.sleep(MEASURED_S)
        used[number] += sum(sum(process.cpu_times()[:2]) for process in processes)
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        assert all(onlooker.pictures >= MIN_PICTURES for onlooker in onlookers)
    cores = (used[ONLOOKERS] - used[0]) / (ROUNDS * MEASURED_S)
    sys.stdout.write(f"{ONLOOKERS} onlookers take {cores:.4f} of {os.cpu_count()} cores\n")  # shown with -s
    return cores


async def test_ten_onlookers_cost_little(tmp_path):
    """On the gateway's own machine, without a login."""
    port = free_port()
    async with running_cluster(tmp_path, 2, "--page-port", str(port)) as cluster:
        await cluster.start_camera("campus", "edge-1", "--loop")
        await cluster.witness.until("frames", lambda: len(cluster.witness.detections) > 20)
        pids = [child.process.pid for child in (cluster.gateway, *cluster.edges.values())]
        address = f"http://{LOOPBACK}:{port}"
        cost = await cost_of_onlookers(pids, lambda: httpx.AsyncClient(base_url=address, timeout=20))
    assert cost <= MAX_COST * os.cpu_count()


async def test_ten_onlookers_with_login_and_tls_cost_little(tmp_path):
    """Each has logged in, as from another machine; edges and gateway have keys, too."""
    state, page = tmp_path / "state", Address(LOOPBACK, free_port())
    names = ("edge-1", "edge-2")
    keys = open_cluster_keys(state, OWN_NODE, "never")
    folders = {name: edge_keys(keys, name, tmp_path / name) for name in names}
    ports = {name: free_port() for name in ("port", "cluster-port", "cluster-tls-port", "tls-port", "join-port")}
    options = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    camera = {"source": str(FOOTAGE), "fps": 5, "motion": {"enabled": False}}
    file = tmp_path / "deepthings.yaml"
    file.write_text(json.dumps({
        "state": str(state), "page": {"listen": "0.0.0.0"}, "cameras": {"campus": camera},  # noqa: S104
    }))  # fmt: skip
    async with LocalCluster(Address(LOOPBACK, ports["cluster-port"]), tmp_path / "logs") as processes:
        gateway = await processes.start(
            "gateway", "gateway", "--config", str(file), "--listen", "0.0.0.0", "--no-compute", "--data-port", "0",  # noqa: S104
            "--page-port", str(page.port), *options,
        )  # fmt: skip
        await until_listening(page, gateway)
        edges = [
            await processes.start(
                name, "edge", "--gateway", f"{LOOPBACK}:{ports['cluster-tls-port']}", "--keys", str(folders[name]),
                "--cache", str(default_cache()), "--max-cores", "1",
            ) for name in names
        ]  # fmt: skip
        for edge in edges:
            await until_said(edge, "whole frames", 60)
        cookies = [await logged_in(page, state, f"onlooker-{number}") for number in range(ONLOOKERS)]
        waiting = iter(cookies * ROUNDS)
        await until_pictures(page, cookies[0])
        pids = [child.process.pid for child in (gateway, *edges)]
        cost = await cost_of_onlookers(pids, lambda: browser_at(page, next(waiting)))
    assert cost <= MAX_COST * os.cpu_count()


def browser_at(page: Address, cookies: httpx.Cookies) -> httpx.AsyncClient:
    """A browser whose user has said that they know the certificate."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return httpx.AsyncClient(base_url=f"https://{page}", verify=trusting, cookies=cookies, timeout=20)


async def logged_in(page, state, name):
    """The cookies of a user who has logged in at the form."""
    added = await asyncio.to_thread(run, "user", "add", name, "--state", str(state), "--json")
    assert added.returncode == 0, added.stderr
    form = {"name": name, "password": json.loads(added.stdout)["password"]}
    async with browser_at(page, httpx.Cookies()) as browser:
        answer = await browser.post("/login", json=form, headers=PAGE_HEADERS)
        assert answer.status_code == 200, answer.text
        return browser.cookies


async def until_pictures(page, cookies):
    """Wait until the camera is read, and its frames are computed."""
    async with asyncio.timeout(60), browser_at(page, cookies) as browser:
        while (await browser.get("/api/cameras/campus/frame")).status_code != 200:
            with contextlib.suppress(httpx.HTTPError):
                await asyncio.sleep(0.2)
