from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.requests import MAX_REQUEST_BYTES, RequestHandler, required_name
from shared.errors import ConfigurationError
from shared.mqtt import topics
from shared.payloads.bridge import Response
from tests.unit.gateway.buses import StandInBus


class Desk:
    """Commands that remember what they were asked."""

    def __init__(self):
        self.bus = StandInBus()
        self.asked = []
        RequestHandler(self.bus, {"info": self.info, "refuse": self.refuse, "break": self.break_})

    async def info(self, said):
        self.asked.append(dict(said))
        return {"version": "1"}

    async def refuse(self, said):
        raise ConfigurationError(f"no camera {required_name(said, 'camera')!r}")

    async def break_(self, _said):
        raise KeyError("secret://password")

    async def ask(self, command, payload=b"", **more):
        """The answer at the topic of answers; None when there was none."""
        await self.bus.hear_plain(topics.REQUEST, payload, command, **more)
        said = self.bus.payloads(f"bridge/response/{command}")
        return Response.model_validate_json(said[-1], extra="forbid") if said else None


@pytest.fixture
def desk():
    return Desk()


@pytest.mark.parametrize("payload", [b"", b" \n", b"{}", b'{"invented_later": [1]}'])
async def test_a_request_without_anything_to_say_is_answered(desk, payload):
    assert await desk.ask("info", payload) == Response(command="info", ok=True, data={"version": "1"})


async def test_the_command_hears_what_was_said(desk):
    await desk.ask("info", b'{"camera": "door", "count": 3}')
    assert desk.asked == [{"camera": "door", "count": 3}]


@pytest.mark.parametrize("transaction", ["4711", "", 7, 0, -1])
async def test_the_transaction_comes_back(desk, transaction):
    payload = json.dumps({"transaction": transaction}).encode()
    assert (await desk.ask("info", payload)).transaction == transaction
    assert (await desk.ask("nothing", payload)).transaction == transaction
    assert (await desk.ask("break", payload)).transaction == transaction


@pytest.mark.parametrize("transaction", [None, 1.5, [], {}])
async def test_a_transaction_that_is_none_does_not(desk, transaction):
    answer = await desk.ask("info", json.dumps({"transaction": transaction}).encode())
    assert answer.ok
    assert answer.transaction is None


async def test_the_answer_goes_where_the_request_wants_it_too(desk):
    answer = await desk.ask("info", response_topic="me/answers", correlation=b"\x00\x01")
    ((request, told),) = desk.bus.answers
    assert (request.response_topic, request.correlation, told) == ("me/answers", b"\x00\x01", answer)


async def test_a_retained_request_is_left_alone(desk, caplog):
    assert await desk.ask("info", retained=True) is None
    assert not desk.asked
    assert not desk.bus.answers
    assert "a retained request for info is ignored: publish it without retain" in caplog.text


@pytest.mark.parametrize(
    ("command", "payload", "error"),
    [
        ("nothing", b"", "unknown request 'nothing'; valid requests: break, info, refuse"),
        ("info", b"{", "'{' is not valid JSON"),
        ("info", b"door", "'door' is not valid JSON"),
        ("info", b"\xff\xfe", "is not valid JSON"),
        ("info", b'{"transaction": "\\ud800"}', "is not valid JSON"),
        ("info", b"[" * 60_000, "is not valid JSON"),
        ("info", b'{"transaction": ' + b"9" * 5000 + b"}", "is not valid JSON"),
        ("info", b"[]", "a request must be a JSON object, or empty"),
        ("info", b'"door"', "a request must be a JSON object, or empty"),
        ("info", b" " * (MAX_REQUEST_BYTES + 1), f"{MAX_REQUEST_BYTES + 1} bytes is too large"),
        ("refuse", b"", 'the request must name a camera, as {"camera": "..."}'),
        ("refuse", b'{"camera": ""}', "must name a camera"),
        ("refuse", b'{"camera": 7}', "must name a camera"),
        ("refuse", b'{"camera": "attic"}', "no camera 'attic'"),
        ("break", b"", "the request failed; see the gateway's log"),
    ],
)
async def test_what_cannot_be_done_is_answered_with_why(desk, command, payload, error):
    answer = await desk.ask(command, payload)
    assert (answer.command, answer.ok, answer.data) == (command, False, {})
    assert error in answer.error
    assert len(answer.error) < 200
    assert not desk.asked


async def test_a_mistake_of_ours_is_in_the_log_and_not_in_the_answer(desk, caplog):
    answer = await desk.ask("break")
    assert "password" not in answer.error
    assert "request break failed" in caplog.text
    assert (await desk.ask("info")).ok


async def test_an_answer_that_the_broker_does_not_take_is_said_and_ends_nothing(desk, caplog):
    desk.bus.away = True
    await desk.bus.hear_plain(topics.REQUEST, b"", "info")
    assert "request info could not be answered" in caplog.text


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"response_topic": "a/" * 300}, "the response topic has 301 levels; it must have at most 100"),
        ({"response_topic": "x" * 1025}, "the response topic has 1025 bytes; it must have at most 1024"),
        ({"response_topic": "me/+"}, "the response topic must not contain the wildcards + and #"),
        ({"response_topic": "$SYS/me"}, "the response topic must not begin with $"),
        ({"response_topic": "me\0"}, "the response topic must not contain control characters"),
        ({"response_topic": "\ud800"}, "the response topic is not valid text"),
        ({"response_topic": "me", "correlation": bytes(1025)}, "the correlation data must have at most 1024 bytes"),
    ],
)
async def test_a_request_that_wants_its_answer_where_none_can_be_is_refused(desk, more, why):
    """A broker would end the gateway's connection for it, and with that all cameras' of the home."""
    answer = await desk.ask("info", b'{"transaction": "7"}', **more)
    assert (answer.ok, answer.transaction) == (False, "7")
    assert why in answer.error
    assert not desk.asked
    assert not desk.bus.answers


@pytest.mark.parametrize("command", ["", "x" * 65, "x" * 65_000])
async def test_a_request_whose_name_cannot_be_is_left_alone_and_logged_now_and_then(desk, caplog, command):
    for _ in range(3):
        assert await desk.ask(command) is None
    assert caplog.text.count("its name is invalid") == 1
    assert len(caplog.text) < 400
    assert (await desk.ask("info")).ok


@given(
    payload=st.binary(max_size=100)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("transaction"), inner),
        max_leaves=5,
    ).map(lambda said: json.dumps(said).encode())
)
async def test_whatever_is_asked_is_answered_once(payload):
    desk = Desk()
    answer = await desk.ask("info", payload)
    assert answer.ok or answer.error
    assert len(desk.bus.said) == 1


def test_a_request_names_what_it_must():
    assert required_name({"camera": "door"}, "camera") == "door"
    with pytest.raises(ConfigurationError, match="must name a node"):
        required_name({"camera": "door"}, "node")
