"""The page in a real browser, at a real cluster: what it shows is what MQTT says."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import async_playwright

from camera_sources.pictures.image_decoding import decode_picture
from shared.network.addresses import LOOPBACK
from shared.payloads.cluster import State
from tests.documents import ROOT
from tests.harness import running_cluster
from tests.ports import free_port

COMPLETE = {
    "live": ".tile", "cluster": ".net .node", "problems": "main > *", "events": ".event", "history": "canvas",
    "timeline": ".gantt", "plan": ".stack", "zones": ".drawing polygon",
}  # fmt: skip
"""The views, and what is there when each of them has got all that it shows."""
MAX_LOAD_S = 1.0
MAX_BYTES = 300_000
PHONE = {"width": 360, "height": 740}
MADE_UP_DAY = {
    "at": [60.0 * minute for minute in range(1440)],
    "median_ms": [None if minute < 99 else 50.0 + minute / 100 for minute in range(1440)],
    "slow_ms": [None if minute < 99 else 90.0 for minute in range(1440)],
    "frames_per_s": [5.0] * 1440,
    "lost_per_min": [0] * 1440,
}
"""So that there is something to plot: a test does not take a day."""
AXE = ROOT / "tests" / "page_assets" / "axe.min.js"

SHOWN_FRAME = """() => {
  const drawn = document.querySelector("svg.overlay");
  const swatches = Object.fromEntries([...document.querySelectorAll(".shares .device")].map(
    (each) => [each.textContent, getComputedStyle(each.querySelector(".swatch")).backgroundColor]));
  const tiles = [...drawn.querySelectorAll(".tile")].map((tile) => [tile.dataset.node, getComputedStyle(tile).fill]);
  return {frame: drawn.dataset.frame, tiles, swatches, boxes: [...drawn.querySelectorAll(".object rect")].map(
    (box) => ["x", "y", "width", "height"].map((side) => Number(box.getAttribute(side))))};
}"""
"""The tiles and boxes that are drawn, and the colours of the devices below the picture."""


def is_complaint(said):
    """Other tests add networks to this machine; a browser then gives up what it is loading, and asks again."""
    return said.type in {"error", "warning"} and "ERR_NETWORK_CHANGED" not in said.text


@contextlib.asynccontextmanager
async def browsing(port):
    """A page of headless Chromium, what it complains of, and the bytes of all that it asks for."""
    chromium = shutil.which("chromium")
    assert chromium, "scripts/setup dev installs chromium"
    complaints, sizes = [], {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: sizes.setdefault(request.url, 0))
        page.on(
            "response", lambda answer: sizes.update({answer.url: max(sizes[answer.url], length_of(answer.headers))})
        )
        await page.route("**/api/history", lambda route: route.fulfill(json=MADE_UP_DAY))
        await page.goto(f"http://{LOOPBACK}:{port}/")
        yield page, complaints, sizes
        await browser.close()


def length_of(headers):
    return int(headers.get("content-length", 0))


async def shows(page, view):
    """Go to a view by its link, as people do."""
    await page.click(f'nav a[href="#{view}"]')
    await page.wait_for_selector(f'nav a[href="#{view}"][aria-current]')


def frame_of(cluster, name):
    return next((each for each in cluster.witness.detections if each.frame == name), None)


async def test_the_page_shows_what_mqtt_says(tmp_path):
    port = free_port()
    async with running_cluster(tmp_path, 3, "--page-port", str(port)) as cluster:
        await cluster.start_camera("campus", "edge-1", "--loop", "--fps", "5")
        await cluster.witness.until("frames", lambda: len(cluster.witness.detections) > 10)
        async with browsing(port) as (page, complaints, sizes):
            await page.wait_for_selector("svg.overlay .tile")
            await loads_quickly(page)
            for _ in range(3):
                await tiles_and_boxes_match(page, cluster)
            await speeds_and_links_match(page, cluster)
            await follows_a_killed_edge(page, cluster)
            await a_tried_zone_works(page)
            await a_zone_is_switched(page)
            await every_view_is_usable(page)
            await keys_are_enough(page)
            await another_program_gets_a_stream(page, port)
            assert {urlsplit(url).netloc for url in sizes if not url.startswith("blob:")} == {f"{LOOPBACK}:{port}"}
            assert 0 < sum(size for url, size in sizes.items() if "/static/" in url) < MAX_BYTES
            assert complaints == []


async def loads_quickly(page):
    """Without what the browser was loading for the first time of its life."""
    timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    taken_ms = []
    for _ in range(3):  # others use the machine, too
        await page.reload()
        await page.wait_for_selector("nav a")
        taken_ms.append(await page.evaluate(timing))
    assert min(taken_ms) < MAX_LOAD_S * 1e3


async def tiles_and_boxes_match(page, cluster):
    await page.wait_for_selector("svg.overlay .tile")
    before = await page.evaluate("document.querySelector('svg.overlay').dataset.frame")
    await page.wait_for_function("(last) => document.querySelector('svg.overlay').dataset.frame !== last", arg=before)
    shown = await page.evaluate(SHOWN_FRAME)
    await cluster.witness.until("the frame", lambda: frame_of(cluster, shown["frame"]), 10)
    said = frame_of(cluster, shown["frame"])
    assert Counter(node for node, _ in shown["tiles"]) == {
        node: tiles.own + tiles.stolen for node, tiles in said.nodes.items()
    }
    assert all(colour == shown["swatches"][node] for node, colour in shown["tiles"])
    assert len(set(shown["swatches"].values())) == len(said.nodes)
    boxes = sorted(corner_and_size(found.box) for found in said.objects)
    assert [tuple(box) for box in sorted(map(tuple, shown["boxes"]))] == [
        pytest.approx(box, abs=0.5) for box in boxes
    ]  # fmt: skip


def corner_and_size(box):
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


async def speeds_and_links_match(page, cluster):
    """The speed of each device beside what it measured when it joined, and what a link carried for a helper."""
    await shows(page, "cluster")
    for name in cluster.edges:
        await page.wait_for_selector(f'[data-speed="{name}"]')
        said = cluster.witness.nodes[name]
        assert 0 < said.computable_per_s < 3 * said.profile_per_s
        card = await page.inner_text(f'[aria-label="Device {name}"]')
        assert re.search(r"\d whole frames/s \([\d,.]+ when it joined\)", card), card
    link = page.locator("[data-link]").first
    await link.wait_for()
    assert re.fullmatch(r"[\d,.]+ [MG]bit/s", await link.text_content())
    await shows(page, "live")


async def follows_a_killed_edge(page, cluster):
    await shows(page, "cluster")
    await page.wait_for_selector('[data-node="edge-3"][data-state="online"]')
    cluster.signal(cluster.edges["edge-3"], signal.SIGKILL)
    await page.wait_for_selector('[data-node="edge-3"][data-state="offline"]')
    await shows(page, "problems")
    await page.wait_for_selector("text=edge edge-3 is offline")
    await page.wait_for_selector("text=switch its device on")
    await cluster.start_edge("edge-3")
    await cluster.witness.until("its return", lambda: cluster.witness.nodes["edge-3"].state is State.ONLINE)
    await shows(page, "cluster")
    await page.wait_for_selector('[data-node="edge-3"][data-state="online"]')


async def a_tried_zone_works(page):
    """Nearly the whole picture, so that somebody is in it."""
    await shows(page, "zones")
    await page.click("text=New zone")
    await page.wait_for_selector(".drawing circle")
    for corner, key in enumerate(("ArrowLeft", "ArrowRight", "ArrowRight", "ArrowLeft")):
        circle = page.locator(".drawing circle").nth(corner)
        await circle.focus()
        for _ in range(30):
            await page.keyboard.press(key)
        for _ in range(40):
            await page.keyboard.press("ArrowUp" if corner < 2 else "ArrowDown")
    assert 'coordinates: "0.05,0.15,0.95,0.15,0.95,1,0.05,1"' in await page.inner_text("pre")
    await page.click("text=Try it now")
    await shows(page, "live")
    await page.wait_for_selector(".zones polygon")
    await page.click(".why summary")
    await page.wait_for_selector("text=zone_1: in it")


async def a_zone_is_switched(page):
    """Off: it is not drawn, and nobody is in it; on again: it is."""
    await page.click("summary:has-text('Settings')")
    switch = page.get_by_label("zone_1")
    await switch.uncheck()
    await page.wait_for_selector(".zones polygon", state="detached")
    await page.wait_for_selector("text=zone_1: this zone is switched off")
    await switch.check()
    await page.wait_for_selector(".zones polygon")
    await page.wait_for_selector("text=zone_1: in it")
    await page.click("summary:has-text('Settings')")


async def every_view_is_usable(page):
    """At the width of a phone nothing is cut off, and axe finds nothing, in the light and in the dark."""
    await page.set_viewport_size(PHONE)
    for view in COMPLETE:
        await shows(page, view)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
    # the policy of the page forbids foreign scripts, but not those of its debugger
    await page.evaluate(AXE.read_text("utf-8"))
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for view, complete in COMPLETE.items():
            await shows(page, view)
            await page.wait_for_selector(complete)
            found = await page.evaluate("axe.run(document).then((found) => found.violations)")
            assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == [], (view, scheme)


async def keys_are_enough(page):
    await page.set_viewport_size({"width": 1280, "height": 860})
    await shows(page, "live")
    await page.evaluate("document.activeElement.blur()")
    for _ in range(4):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.getAttribute('href')") == "#cluster":
            break
    await page.locator('nav a[href="#cluster"]').focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector('nav a[href="#cluster"][aria-current]')
    await page.locator(".skip").focus()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


async def another_program_gets_a_stream(page, port):
    """At the address that is shown below the camera, two pictures in one answer."""
    await shows(page, "live")
    await page.click("text=In Home Assistant")
    await page.wait_for_selector("pre.wrap")
    address = await page.inner_text("pre.wrap")
    assert address == f"http://{LOOPBACK}:{port}/cameras/campus/stream"
    read = b""
    async with httpx.AsyncClient(timeout=20) as program, program.stream("GET", address) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=deepthings"
        async for part in answer.aiter_raw():
            read += part
            if read.count(b"--deepthings\r\n") > 2:
                break
    first = read.split(b"--deepthings\r\n")[1].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
    assert decode_picture(first).shape[2] == 3
