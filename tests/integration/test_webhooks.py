"""Webhooks to a real server on loopback: retries, time-outs, refusals, signatures, overflow, the end."""

from __future__ import annotations

import asyncio
import base64
import json
import time

import pytest

from gateway.integrations.hooks import webhook
from gateway.integrations.hooks.queue import MAX_CONCURRENT_DELIVERIES, MAX_WAITING_DELIVERIES
from gateway.integrations.hooks.signing import signature
from shared.errors import ConfigurationError
from shared.network.addresses import LOOPBACK
from shared.payloads.observations import EventType
from tests.hook_events import event, trigger
from tests.webhook_receiver import DEADLINE_S, OK, account, counts_of, post_to, receiving, running, status

KEY = "s3cret"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(webhook, "FIRST_RETRY_DELAY_S", 0.01)


async def test_an_event_arrives_whole_and_signed():
    seen = event(zones=("yard",))
    async with receiving() as receiver, running(post_to(receiver.url("/a?b=c"), secret=KEY)) as hooks:
        hooks.notify(seen)
        await account(hooks, delivered=1)
    (request,) = receiver.requests
    assert request.line == "POST /a?b=c HTTP/1.1"
    assert json.loads(request.body) == json.loads(seen.model_dump_json())
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-deepthings-event"] == "new"
    stamp = request.headers["x-deepthings-timestamp"]
    assert abs(time.time() - int(stamp)) < DEADLINE_S
    assert request.headers["x-deepthings-signature"] == signature(KEY, stamp, request.body)


async def test_a_trigger_arrives_as_one():
    async with receiving() as receiver, running(post_to(receiver.url(), events=("trigger",))) as hooks:
        hooks.notify(trigger("person_in_yard", zone="yard"))
        hooks.notify(event())
        await account(hooks, delivered=1)
    (request,) = receiver.requests
    assert request.headers["x-deepthings-event"] == "trigger"
    assert json.loads(request.body)["name"] == "person_in_yard"


@pytest.mark.parametrize("first", [status(500), status(503), status(429), None, b"Hello, I am no HTTP\r\n\r\n"])
async def test_what_may_pass_is_tried_again_with_the_same_delivery(first):
    async with receiving(first, OK) as receiver, running(post_to(receiver.url())) as hooks:
        hooks.notify(event())
        await account(hooks, delivered=1)
    one, two = receiver.requests
    assert one.headers["x-deepthings-delivery"] == two.headers["x-deepthings-delivery"]
    assert one.body == two.body


@pytest.mark.parametrize("code", [400, 401, 404, 410, 422])
async def test_what_is_refused_is_not_tried_again(code, caplog):
    async with receiving(status(code)) as receiver, running(post_to(receiver.url())) as hooks:
        hooks.notify(event())
        await account(hooks, failed=1)
    assert len(receiver.requests) == 1
    assert f"webhook 1 ({LOOPBACK}): 1 event not delivered: the server answers {code}" in caplog.text


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirection_to_another_host_is_not_followed(code, caplog):
    async with receiving() as other, receiving(status(code, f"Location: {other.url(host='localhost')}")) as receiver:
        async with running(post_to(receiver.url(), secret=KEY)) as hooks:
            hooks.notify(event())
            await account(hooks, failed=1)
        assert (len(receiver.requests), other.requests) == (1, [])
    assert "write the final address" in caplog.text


async def test_the_tries_are_as_many_as_the_configuration_says(caplog):
    async with receiving(status(500)) as receiver, running(post_to(receiver.url(), retries=2)) as hooks:
        hooks.notify(event())
        await account(hooks, failed=1)
    assert len(receiver.requests) == 3
    assert "the server answers 500, 3 times" in caplog.text


async def test_no_retries_is_one_try():
    async with receiving(status(500)) as receiver, running(post_to(receiver.url(), retries=0)) as hooks:
        hooks.notify(event())
        await account(hooks, failed=1)
    assert len(receiver.requests) == 1


async def test_a_server_is_given_the_time_that_it_asks_for():
    async with receiving(status(503, "Retry-After: 1"), OK) as receiver, running(post_to(receiver.url())) as hooks:
        hooks.notify(event())
        await account(hooks, delivered=1)
    one, two = receiver.requests
    assert two.at - one.at >= 0.99


async def test_a_silent_server_costs_its_time_and_no_more(caplog):
    silence = asyncio.get_running_loop().create_future()
    async with receiving(silence) as receiver, running(post_to(receiver.url(), timeout=0.5, retries=1)) as hooks:
        hooks.notify(event())
        await account(hooks, failed=1)
        assert len(receiver.requests) == 2
    assert "no answer within 0.5 s, 2 times" in caplog.text


async def test_a_server_that_drips_its_answer_costs_its_time_and_no_more(caplog):
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: yes\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with receiving(drip) as receiver, running(post_to(receiver.url(), timeout=0.2, retries=0)) as hooks:
        hooks.notify(event())
        await account(hooks, failed=1)
    assert "no answer within 0.2 s" in caplog.text


async def test_the_body_of_an_answer_is_not_read():
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nand so on"
    async with receiving(endless) as receiver, running(post_to(receiver.url())) as hooks:
        hooks.notify(event())
        await account(hooks, delivered=1)


async def test_nobody_there_is_told_without_the_address(caplog):
    caplog.set_level("DEBUG")
    async with receiving() as receiver:
        url = receiver.url("/hooks/t0ken?key=k3y").replace("://", "://someone:passw0rd@")
    async with running(post_to(url, secret=KEY, retries=2)) as hooks:
        hooks.notify(event())
        await account(hooks, failed=1)
        assert "t0ken" not in str(hooks.counts())
    assert "it cannot be reached, 3 times" in caplog.text
    assert [word for word in ("t0ken", "k3y", "passw0rd", KEY, "someone") if word in caplog.text] == []


async def test_no_part_of_the_address_is_logged_when_all_goes_well_either(caplog):
    caplog.set_level("DEBUG")
    async with receiving() as receiver:
        url = receiver.url("/hooks/t0ken?key=k3y").replace("://", "://someone:passw0rd@")
        async with running(post_to(url)) as hooks:
            hooks.notify(event())
            await account(hooks, delivered=1)
    login = base64.b64encode(b"someone:passw0rd").decode()
    assert receiver.requests[0].headers["authorization"] == f"Basic {login}"
    assert [word for word in ("t0ken", "k3y", "passw0rd", login) if word in caplog.text] == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    async with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        async with running(post_to(receiver.url())) as hooks:
            hooks.notify(event())
            await account(hooks, delivered=1)
        assert (len(receiver.requests), proxy.requests) == (1, [])


async def test_a_slow_server_gets_so_many_at_once_and_the_rest_after_them():
    gate = asyncio.get_running_loop().create_future()
    async with receiving(gate) as receiver, running(post_to(receiver.url())) as hooks:
        for number in range(3 * MAX_CONCURRENT_DELIVERIES):
            hooks.notify(event(object_id=str(number)))
        await receiver.until(MAX_CONCURRENT_DELIVERIES)
        assert (counts_of(hooks).in_progress, counts_of(hooks).waiting) == (
            MAX_CONCURRENT_DELIVERIES,
            2 * MAX_CONCURRENT_DELIVERIES,
        )
        gate.set_result(OK)
        await account(hooks, delivered=3 * MAX_CONCURRENT_DELIVERIES)
    assert receiver.most_at_once == MAX_CONCURRENT_DELIVERIES


async def test_a_hook_that_hangs_delays_no_other_hook():
    silence = asyncio.get_running_loop().create_future()
    async with receiving(silence) as deaf, receiving() as receiver:
        async with running(post_to(deaf.url()), post_to(receiver.url())) as hooks:
            for number in range(50):
                hooks.notify(event(object_id=str(number)))
            await receiver.until(50)
        assert len(deaf.requests) == MAX_CONCURRENT_DELIVERIES


async def test_more_than_can_wait_cost_the_oldest(caplog):
    gate = asyncio.get_running_loop().create_future()
    async with receiving(gate) as receiver, running(post_to(receiver.url())) as hooks:
        for number in range(MAX_CONCURRENT_DELIVERIES):
            hooks.notify(event(object_id=str(number)))
        await receiver.until(MAX_CONCURRENT_DELIVERIES)
        for number in range(MAX_CONCURRENT_DELIVERIES, MAX_CONCURRENT_DELIVERIES + MAX_WAITING_DELIVERIES + 5):
            hooks.notify(event(object_id=str(number)))
        assert (counts_of(hooks).dropped, counts_of(hooks).waiting) == (5, MAX_WAITING_DELIVERIES)
        gate.set_result(OK)
        await account(hooks, delivered=MAX_CONCURRENT_DELIVERIES + MAX_WAITING_DELIVERIES)
    arrived = {json.loads(request.body)["id"] for request in receiver.requests}
    assert arrived == {str(number) for number in range(MAX_CONCURRENT_DELIVERIES + MAX_WAITING_DELIVERIES + 5)} - {
        str(number) for number in range(MAX_CONCURRENT_DELIVERIES, MAX_CONCURRENT_DELIVERIES + 5)
    }
    assert caplog.text.count("dropped") == 1


async def test_the_end_of_an_object_arrives_after_its_beginning_though_that_had_to_be_tried_again():
    async with receiving(status(500), status(500), OK) as receiver, running(post_to(receiver.url())) as hooks:
        hooks.notify(event(EventType.NEW))
        hooks.notify(event(EventType.END))
        await account(hooks, delivered=2)
    assert [request.headers["x-deepthings-event"] for request in receiver.requests] == ["new", "new", "new", "end"]


async def test_what_is_seen_just_before_the_end_is_still_delivered():
    async with receiving() as receiver:
        async with running(post_to(receiver.url())) as hooks:
            for number in range(20):
                hooks.notify(event(EventType.END, object_id=str(number)))
        assert len(receiver.requests) == 20
        assert counts_of(hooks).delivered == 20


async def test_the_end_does_not_wait_for_a_silent_server(monkeypatch, caplog):
    monkeypatch.setattr("gateway.integrations.hooks.runner.DRAIN_S", 0.1)
    silence = asyncio.get_running_loop().create_future()
    async with receiving(silence) as receiver:
        async with asyncio.timeout(DEADLINE_S), running(post_to(receiver.url(), timeout=60)) as hooks:
            for number in range(MAX_CONCURRENT_DELIVERIES + 2):
                hooks.notify(event(object_id=str(number)))
            await receiver.until(MAX_CONCURRENT_DELIVERIES)
        counts = counts_of(hooks)
    assert (counts.notified, counts.dropped, counts.in_progress) == (
        MAX_CONCURRENT_DELIVERIES + 2,
        MAX_CONCURRENT_DELIVERIES + 2,
        0,
    )
    assert f"{MAX_CONCURRENT_DELIVERIES + 2} events not delivered before the end" in caplog.text


async def test_without_hooks_there_is_nothing_to_do():
    async with running() as hooks:
        hooks.notify(event())
        assert hooks.counts() == {}


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port/", "http://", "ftp://host/t0ken", "t0ken"])
def test_an_address_that_is_none_is_refused_and_not_shown(url):
    with pytest.raises(ConfigurationError, match="write it as http") as raised:
        webhook.webhook_host(url)
    assert "t0ken" not in str(raised.value)
