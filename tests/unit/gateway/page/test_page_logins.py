"""The page of a gateway with keys, asked by strangers, people and programs, without sockets."""

import asyncio
import base64
import ipaddress
import json

import httpx
import pytest

from gateway.broker.logins import LoginFile
from gateway.page import page_logins
from gateway.page.login_tries import TRIES_AT_ONCE
from gateway.page.page_logins import PageLogins
from gateway.page.page_sessions import PageSessions
from gateway.page.routes import make_application
from gateway.page.trusted_proxy import TrustedProxy
from tests.unit.gateway.page.test_gateway_page import HEADERS, PagedHouse

PASSWORD = "a long word of mine"  # noqa: S105
WITH_DATA = (
    "/metrics", "/api/stream", "/api/history", "/api/session", "/api/cameras/door/frame", "/cameras/door/stream",
)  # fmt: skip


class GuardedHouse(PagedHouse):
    """A house whose page asks for a login: anna may change something, bert may look."""

    def __init__(self, folder):
        super().__init__(folder)
        self.users = LoginFile(folder / "users")
        self.users.add("anna", PASSWORD)
        self.users.add("bert", PASSWORD, may_change=False)
        proxy = TrustedProxy(ipaddress.ip_network("172.18.0.5"), b"remote-user")
        self.logins = PageLogins(self.users, PageSessions(folder / "page" / "sessions.json"), proxy)

    def browser_at(self, host, scheme="http", **options):
        application = self.page.counting(make_application(self.page, self.logins))
        transport = httpx.ASGITransport(application, client=(host, 1234))
        return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://192.168.1.10:8095", **options)


@pytest.fixture
async def house(tmp_path):
    made = GuardedHouse(tmp_path)
    await made.edges("pi-1", "pi-2")
    await made.hear()
    yield made
    await made.page.end()
    await made.browser.aclose()


@pytest.fixture
async def browser(house):
    async with house.browser_at("192.168.1.20") as opened:
        yield opened


async def log_in(browser, name="anna", password=PASSWORD, **headers):
    return await browser.post(
        "/login", content=json.dumps({"name": name, "password": password}), headers=HEADERS | headers
    )


async def test_a_stranger_sees_the_form_and_nothing_of_the_home(browser):
    first = await browser.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/login")
    assert "autocomplete" in (await browser.get("/login")).text
    assert (await browser.get("/static/login.js")).status_code == 200
    for path in WITH_DATA:
        answer = await browser.get(path)
        assert (answer.status_code, "door" in answer.text) == (401, False), path
    for path in ("/api/request/info", "/api/cameras/door/set/detect", "/api/logout"):
        assert (await browser.post(path, content="OFF", headers=HEADERS)).status_code == 401


async def test_who_logs_in_gets_a_cookie_that_no_script_and_no_other_site_gets(browser):
    answer = await log_in(browser)
    said = answer.headers["set-cookie"].lower()
    assert answer.json() == {"ok": True}
    assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} <= {part.strip() for part in said.split(";")}
    assert "secure" not in said
    assert (await browser.get("/")).status_code == 200
    assert (await browser.get("/api/session")).json() == {"user": "anna", "may_change": True, "can_log_out": True}
    changed = await browser.post("/api/cameras/door/set/threshold", content="0.55", headers=HEADERS)
    assert changed.json() == {"ok": True}


async def test_the_cookie_is_sent_encrypted_only_if_it_was_made_so(house):
    async with house.browser_at("192.168.1.20", "https") as browser:
        assert "secure" in (await log_in(browser)).headers["set-cookie"].lower()
    async with house.browser_at("172.18.0.5") as browser:
        answer = await log_in(browser, **{"X-Forwarded-Proto": "https"})
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_strange_cookies_of_other_programs_at_the_same_address_do_not_hide_ours(house, browser):
    cookie = await house.logins.log_in("anna", PASSWORD, "192.168.1.20")
    for others in ('a={"b": 1, "c"}; =; x', "deepthings-session2=x; é=ü"):
        header = f"{others}; {page_logins.SESSION_COOKIE}={cookie}".encode()
        assert (await browser.get("/api/history", headers={b"Cookie": header})).status_code == 200


@pytest.mark.parametrize(("name", "password"), [("anna", "a long word of yours"), ("anna", ""), ("carl", PASSWORD)])
async def test_a_wrong_name_or_password_is_refused_in_the_same_words(browser, name, password):
    answer = await log_in(browser, name, password)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert answer.json()["error"].startswith("wrong name or password")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"name": "anna"}', b'{"name": "anna", "password": "\\ud800"}', b"x" * 70_000]
)
async def test_what_is_no_form_is_refused(browser, body):
    assert (await browser.post("/login", content=body, headers=HEADERS)).status_code in {400, 401}


async def test_tries_are_limited_by_address_for_forms_and_for_programs(house, browser):
    for _ in range(TRIES_AT_ONCE - 1):
        assert (await log_in(browser, password="a long word of yours")).status_code == 401  # noqa: S106
    assert (await browser.get("/metrics", auth=("anna", "wrong"))).status_code == 401
    refused = await log_in(browser)
    assert (refused.status_code, "try again in" in refused.json()["error"]) == (429, True)
    assert (await browser.get("/metrics", auth=("anna", PASSWORD))).status_code == 429
    async with house.browser_at("192.168.1.21") as other:
        assert (await log_in(other)).status_code == 200


async def test_many_tries_at_once_are_no_more_than_one_after_the_other(browser):
    answers = await asyncio.gather(*(log_in(browser, password="a long word of yours") for _ in range(30)))  # noqa: S106
    assert sum(answer.status_code == 401 for answer in answers) == TRIES_AT_ONCE


async def test_the_limit_is_for_who_is_behind_the_proxy_and_not_for_the_proxy(house):
    async with house.browser_at("172.18.0.5") as browser:
        for _ in range(TRIES_AT_ONCE):
            await log_in(browser, password="a long word of yours", **{"X-Forwarded-For": "9.9.9.9"})  # noqa: S106
        assert (await log_in(browser, **{"X-Forwarded-For": "9.9.9.9"})).status_code == 429
        assert (await log_in(browser, **{"X-Forwarded-For": "8.8.8.8"})).status_code == 200
    async with house.browser_at("192.168.1.20") as liar:
        for number in range(TRIES_AT_ONCE):
            await log_in(liar, password="a long word of yours", **{"X-Forwarded-For": f"9.9.9.{number}"})  # noqa: S106
        assert (await log_in(liar, **{"X-Forwarded-For": "7.7.7.7"})).status_code == 429


async def test_a_login_for_looking_changes_nothing(house, browser):
    await log_in(browser, "bert")
    assert (await browser.get("/api/session")).json()["may_change"] is False
    assert (await browser.get("/api/history")).status_code == 200
    for path in ("/api/cameras/door/set/detect", "/api/request/reload"):
        answer = await browser.post(path, content="OFF", headers=HEADERS)
        assert (answer.status_code, answer.json()["error"]) == (403, "the login bert may look, and change nothing")
    assert house.page.sections()["cameras"][0]["settings"]["detect"] is True


async def test_a_page_of_another_site_changes_nothing_with_the_cookie(house, browser):
    await log_in(browser)
    path = "/api/cameras/door/set/detect"
    assert (await browser.post(path, content="OFF")).status_code == 403
    for origin in ("https://evil.example", "null", "http://["):
        assert (await browser.post(path, content="OFF", headers={**HEADERS, "Origin": origin})).status_code == 403
    assert house.page.sections()["cameras"][0]["settings"]["detect"] is True
    own = {**HEADERS, "Origin": "http://192.168.1.10:8095"}
    assert (await browser.post(path, content="OFF", headers=own)).status_code == 200


async def test_who_logs_out_is_out_also_with_a_copy_of_the_cookie(browser):
    await log_in(browser, "bert")
    copy = dict(browser.cookies)
    answer = await browser.post("/api/logout", headers=HEADERS)
    assert answer.json() == {"ok": True}
    assert not dict(browser.cookies)
    browser.cookies.update(copy)
    assert (await browser.get("/api/history")).status_code == 401


@pytest.mark.parametrize("change", ["new password", "removed", "may look only"])
async def test_a_login_that_changes_ends_what_was_begun_with_it(house, browser, change):
    await log_in(browser)
    token = (await browser.get("/api/cameras/door/stream_path")).json()["path"]
    if change == "removed":
        house.users.remove("anna")
    else:
        house.users.add("anna", PASSWORD, may_change=change == "new password")
    assert (await browser.get("/api/history")).status_code == 401
    assert (await browser.get(token)).status_code == 401


async def test_an_open_stream_of_changes_ends_with_its_login(house):
    user = await house.logins.identify("192.168.1.20", basic("anna", PASSWORD))
    assert house.logins.is_valid(user)
    house.users.remove("anna")
    assert not house.logins.is_valid(user)


def basic(name, password):
    return {b"authorization": b"Basic " + base64.b64encode(f"{name}:{password}".encode())}


async def test_a_program_sends_name_and_password_with_each_request(browser):
    assert (await browser.get("/metrics", auth=("bert", PASSWORD))).status_code == 200
    assert (await browser.get("/metrics", auth=("bert", "wrong"))).status_code == 401
    for header in ("Basic", "Basic !", "Basic YQ==", "Bearer x"):
        assert (await browser.get("/metrics", headers={"Authorization": header})).status_code == 401


async def test_a_token_shows_its_camera_and_nothing_else(house, browser):
    await log_in(browser, "bert")
    path = (await browser.get("/api/cameras/door/stream_path")).json()["path"]
    async with house.browser_at("192.168.1.30") as program:
        still = path.replace("/stream?", "/picture.jpg?")
        asked = asyncio.create_task(program.get(still))
        while not house.page.pictures.wanted("door"):  # noqa: ASYNC110  (the request waits for a frame by then)
            await asyncio.sleep(0)
        await house.film(1)
        assert (await asked).headers["content-type"] == "image/jpeg"
        for other in (path.replace("door", "yard"), path[:-1], path.partition("?")[0]):
            assert (await program.get(other)).status_code == 401
        token = path.partition("?")[2]
        for other in ("/metrics", "/api/history", "/api/cameras/door/frame", "/"):
            assert (await program.get(f"{other}?{token}")).status_code in {303, 401}


async def test_a_reverse_proxy_names_who_has_logged_in_there(house):
    async with house.browser_at("172.18.0.5", headers={"Remote-User": "bert"}) as browser:
        said = {"user": "bert", "may_change": False, "can_log_out": False}
        assert (await browser.get("/api/session")).json() == said
    async with house.browser_at("172.18.0.5", headers={"Remote-User": "carl"}) as browser:
        answer = await browser.get("/")
        assert (answer.status_code, "'deepthings user add'" in answer.json()["error"]) == (403, True)
    async with house.browser_at("192.168.1.20", headers={"Remote-User": "anna"}) as liar:
        assert (await liar.get("/api/session")).status_code == 401


async def test_logins_that_cannot_be_read_let_nobody_in(browser, tmp_path):
    await log_in(browser)
    (tmp_path / "users").unlink()
    (tmp_path / "users").mkdir()
    assert (await browser.get("/api/history")).status_code == 503


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(browser, monkeypatch):
    tried = []
    monkeypatch.setattr(page_logins, "is_password", lambda *told: tried.append(told))
    await log_in(browser, "carl")
    assert len(tried) == 1
