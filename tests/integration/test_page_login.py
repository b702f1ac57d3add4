"""The page of a gateway with keys, in a real browser and for programs: nothing without a login."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import ssl

import httpx
from playwright.async_api import async_playwright

from gateway.authority.cluster_keys import open_cluster_keys
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from shared.security.certificates import der_of, member_in
from shared.security.issuing import make_key, public_key_of
from shared.security.member_list import Role
from tests.commands import run
from tests.documents import ROOT
from tests.harness import until_listening
from tests.integration.test_page import is_complaint
from tests.ports import free_port

AXE = ROOT / "tests" / "page_assets" / "axe.min.js"
PHONE = {"width": 360, "height": 740}


class GuardedGateway:
    """A gateway that other devices reach, with a member that has not been switched on."""

    def __init__(self, folder, processes):
        self.folder, self.processes = folder, processes
        self.state = folder / "logs" / "state" / "deepthings"
        self.page, self.edges = Address(LOOPBACK, free_port()), Address(LOOPBACK, free_port())
        self.keys = open_cluster_keys(self.state, OWN_NODE, "never")
        key = make_key()
        certificate = self.keys.authority.issue(Role.EDGE, "porch", public_key_of(key))
        self.keys.members.add(member_in(der_of(certificate)))
        self.file = folder / "deepthings.yaml"
        self.file.write_text("page: {listen: 0.0.0.0}\ncameras: {yard: {source: rtsp://127.0.0.1/none}}\n")

    async def start(self):
        ports = [
            word for name in ("--port", "--cluster-port", "--tls-port", "--data-port")
            for word in (name, str(free_port()))
        ]  # fmt: skip
        ports += ["--cluster-tls-port", str(self.edges.port)]
        self.gateway = await self.processes.start(
            "gateway", "gateway", "--config", str(self.file), "--listen", "0.0.0.0", "--no-compute", *ports,  # noqa: S104
            "--page-port", str(self.page.port),
        )  # fmt: skip
        await until_listening(self.page, self.gateway)

    def user(self, *words):
        done = run("user", *words, "--state", str(self.state), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextlib.asynccontextmanager
async def guarded(folder):
    (folder / "logs").mkdir()
    async with LocalCluster(Address(LOOPBACK, free_port()), folder / "logs") as processes:
        gateway = GuardedGateway(folder, processes)
        await gateway.start()
        yield gateway


@contextlib.asynccontextmanager
async def opened(url):
    """A browser at the page; its user has said that they know the certificate."""
    complaints = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await browser.new_page(ignore_https_errors=True, viewport=PHONE)
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        yield page, complaints
        await browser.close()


async def is_usable(page):
    """At the width of a phone nothing is cut off, and axe finds nothing, in the light and in the dark."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.evaluate(AXE.read_text("utf-8"))
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = await page.evaluate("axe.run(document).then((found) => found.violations)")
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == [], scheme


async def log_in(page, name, password):
    """With keys only: the name has the focus."""
    await page.wait_for_selector("#name:focus")
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(password)
    await page.keyboard.press("Enter")


async def test_people_log_in_and_out_and_programs_have_what_they_need(tmp_path):
    async with guarded(tmp_path) as gateway:
        anna, bert = gateway.user("add", "anna"), gateway.user("add", "bert", "--read-only")
        assert re.fullmatch(rf"https://[\d.]+:{gateway.page.port}", anna["page"])
        assert gateway.user("list") == {"users": ["anna", "bert"], "read_only": ["bert"]}
        url = f"https://{gateway.page}"
        async with opened(url) as (page, complaints):
            assert page.url == f"{url}/login"
            await is_usable(page)
            await log_in(page, "anna", "not her password")
            await page.wait_for_selector("text=Wrong name or password")
            await is_usable(page)
            assert len(complaints) == 1  # the browser's own, of the answer 401
            await page.reload()
            await log_in(page, "anna", anna["password"])
            await page.wait_for_selector("text=Log out")
            assert await page.evaluate("document.cookie") == ""
            await shows_who_is_missing(page)
            path = await stream_of(page)
            await page.click("text=Log out")
            await page.wait_for_selector("#name:focus")
            await log_in(page, "bert", bert["password"])
            await page.wait_for_selector("text=read-only")
            await page.click('nav a[href="#cluster"]')
            await page.wait_for_selector("text=Not taking part")
            assert await page.locator("text=Read the configuration again").count() == 0
            assert len(complaints) == 1
            assert run("user", "remove", "bert", "--state", str(gateway.state)).returncode == 0
            await page.wait_for_selector("#name:focus")  # its stream has ended
        await programs_are_served(gateway, url, path, anna["password"])


async def shows_who_is_missing(page):
    await page.click('nav a[href="#cluster"]')
    await page.wait_for_selector('[data-waiting="porch"] >> text=deepthings edge --listen 0.0.0.0')
    assert await page.locator("[data-waiting]").count() == 1
    await is_usable(page)


async def stream_of(page):
    await page.click('nav a[href="#live"]')
    await page.click("text=In Home Assistant")
    await page.wait_for_selector("pre.wrap")
    await is_usable(page)
    return (await page.inner_text("pre.wrap")).partition("/cameras/")[2]


async def programs_are_served(gateway, url, path, password):
    """With the cluster's authority they know the gateway; a login that is removed ends what it opened."""
    trusting = ssl.create_default_context(cadata=gateway.keys.authority.certificate.decode())
    async with httpx.AsyncClient(base_url=url, verify=trusting) as program:
        assert (await program.get("/metrics")).status_code == 401
        assert "deepthings_" in (await program.get("/metrics", auth=("anna", password))).text
        async with program.stream("GET", f"/cameras/{path}") as stream:
            assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        gateway.user("add", "anna")
        assert (await program.get(f"/cameras/{path}")).status_code == 401
        assert (await program.get("/metrics", auth=("anna", password))).status_code == 401


async def test_a_page_that_others_reach_without_a_login_is_refused_with_the_way_out(tmp_path):
    file = tmp_path / "deepthings.yaml"
    file.write_text("page: {listen: 0.0.0.0}\n")
    done = run("gateway", "--config", str(file), "--listen", LOOPBACK)
    assert done.returncode == 2
    assert "cluster.listen" in done.stderr
    assert "ssh -L 8095:127.0.0.1:8095" in done.stderr
