from __future__ import annotations

import asyncio

import aiomqtt
import pytest

from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.message_size import MAX_MESSAGE_BYTES
from shared.mqtt.received import Received
from shared.network.addresses import Address
from shared.payloads.bridge import Response
from shared.payloads.cluster import FrameDone
from tests.settling import settled

DONE = FrameDone(frame="door-1", outcome="published")
STEAL = topics.STEAL.message(node="pi-1", epoch=1)
ANSWER = Response(command="info", ok=True)


class Client:
    """In the place of a connected client of the broker."""

    def __init__(self):
        self.published = []
        self.error = None
        self.taken = asyncio.Event()
        self.taken.set()

    posted = 0

    def post(self, topic, payload, *, properties):
        if self.error is not None:
            raise self.error
        self.published.append((topic, payload, 0, False, properties))

    async def publish_checked(self, topic, payload, qos, *, retain, properties):
        if self.error is not None:
            raise self.error
        try:
            await self.taken.wait()
        except asyncio.CancelledError:
            return  # as asyncio.wait_for has it before Python 3.12, when the answer comes at the same moment
        self.published.append((topic, payload, qos, retain, properties))


@pytest.fixture
def bus():
    bus = Bus(Address("10.0.0.1", 1883), "tested", prefix="a/b")
    bus._client = Client()
    return bus


async def test_messages_are_published_as_their_topic_says(bus):
    await bus.publish(topics.OUTCOMES, DONE, "pi-1")
    await bus.publish_plain(topics.SNAPSHOT, b"\xff\xd8", "door")
    await bus.clear_retained(topics.ZONE_OBJECTS, "door", "porch", "person")
    assert [said[:4] for said in bus._client.published] == [
        ("a/b/cluster/outcomes/pi-1", DONE.model_dump_json().encode(), 1, False),
        ("a/b/detections/door/snapshot", b"\xff\xd8", 1, True),
        ("a/b/detections/door/zones/porch/person", b"", 1, True),
    ]


async def test_what_is_sent_is_counted(bus):
    await bus.publish_plain(topics.SNAPSHOT, b"12345", "door")
    assert bus.sent_bytes == len("a/b/detections/door/snapshot") + 5


async def test_what_speaks_of_the_present_expires(bus):
    task = topics.STEAL.message(node="pi-1", epoch=1)
    await bus.publish(topics.STEAL, task, "pi-1")
    await bus.publish(topics.OUTCOMES, DONE, "pi-1")
    first, second = (said[4] for said in bus._client.published)
    assert first.MessageExpiryInterval == topics.TASK_EXPIRY_S
    assert not hasattr(second, "MessageExpiryInterval")


def publish(bus):
    return bus.publish(topics.OUTCOMES, DONE, "pi-1")


def answer(bus):
    return bus.publish_response(Received(("info",), b"", retained=False, response_topic="me/answers"), ANSWER)


@pytest.mark.parametrize("say", [publish, answer])
@pytest.mark.parametrize("error", [aiomqtt.MqttError("lost"), ValueError("Publish topic cannot contain wildcards.")])
async def test_what_the_broker_or_its_client_does_not_take_is_an_error_of_ours(bus, say, error):
    bus._client.error = error
    with pytest.raises(BrokerError, match=f"10.0.0.1:1883 did not accept .*{error}"):
        await say(bus)


@pytest.mark.parametrize("say", [publish, answer])
async def test_who_is_cancelled_while_the_broker_answers_ends(bus, say):
    """Else a gateway or an edge that is stopped at that moment would wait for its bus for ever."""
    bus._client.taken.clear()
    task = asyncio.create_task(say(bus))
    await settled()  # it waits for the answer now
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


async def test_who_waits_no_longer_than_it_wants_is_not_cancelled_for_good(bus):
    bus._client.taken.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await publish(bus)
    bus._client.taken.set()
    await publish(bus)
    assert len(bus._client.published) == 1


async def test_an_answer_goes_where_it_is_wanted_with_what_it_answers(bus):
    await answer(bus)
    wanted = Received(("info",), b"", retained=False, response_topic="me/answers", correlation=b"\x00\xff")
    await bus.publish_response(wanted, ANSWER)
    first, second = bus._client.published
    assert first[:4] == second[:4] == ("me/answers", ANSWER.model_dump_json().encode(), 1, False)
    assert not hasattr(first[4], "CorrelationData")
    assert second[4].CorrelationData == b"\x00\xff"


@pytest.mark.parametrize("where", [None, ""])
async def test_an_answer_that_nobody_wants_goes_nowhere(bus, where):
    await bus.publish_response(Received(("info",), b"", retained=False, response_topic=where), ANSWER)
    assert bus._client.published == []


async def test_without_a_connection_nothing_is_published_and_answers_are_lost(bus):
    bus._client = None
    with pytest.raises(BrokerError, match="not connected to the broker"):
        await bus.publish_plain(topics.SNAPSHOT, b"x", "door")
    await answer(bus)


async def test_what_is_too_large_for_a_broker_is_refused_here(bus, caplog):
    await bus.publish_plain(topics.SNAPSHOT, b"x" * MAX_MESSAGE_BYTES, "door")
    with pytest.raises(BrokerError, match=f"{MAX_MESSAGE_BYTES + 1} bytes is too large for a/b/detections/door"):
        await bus.publish_plain(topics.SNAPSHOT, b"x" * (MAX_MESSAGE_BYTES + 1), "door")
    assert len(bus._client.published) == 1
    assert f"snapshot not published: {MAX_MESSAGE_BYTES + 1} bytes are more than a broker accepts" in caplog.text


async def test_an_answer_that_no_broker_takes_is_refused_here(bus):
    wanted = Received(("info",), b"", retained=False, response_topic="a/" * 300)
    with pytest.raises(BrokerError, match="the response topic has 301 levels"):
        await bus.publish_response(wanted, ANSWER)
    assert bus._client.published == []


async def test_what_needs_no_acknowledgement_is_published_at_once_without_a_task(bus):
    bus.publish_soon(topics.STEAL, STEAL, "pi-1")
    assert [said[:4] for said in bus._client.published] == [
        ("a/b/cluster/steal/pi-1", STEAL.model_dump_json().encode(), 0, False)
    ]
    assert bus._client.published[0][4].MessageExpiryInterval == topics.TASK_EXPIRY_S
    assert bus.sent_bytes == len("a/b/cluster/steal/pi-1") + len(STEAL.model_dump_json())
    assert not bus._outbox


async def test_what_needs_no_acknowledgement_and_is_not_taken_is_lost(bus):
    bus._client.error = aiomqtt.MqttError("lost")
    bus.publish_soon(topics.STEAL, STEAL, "pi-1")
    assert bus.sent_bytes == 0


async def test_more_than_the_broker_takes_is_not_published(bus, monkeypatch, caplog):
    monkeypatch.setattr("shared.mqtt.bus.MAX_PENDING_CALLS", 3)
    bus._client.posted = 3
    bus.publish_soon(topics.STEAL, STEAL, "pi-1")
    assert bus._client.published == []
    assert "3 messages already wait for the broker" in caplog.text


def received(topic, payload=b"{}"):
    return aiomqtt.Message(topic, payload, 0, False, 0, None)


async def test_a_message_is_handled_by_all_that_subscribed_to_its_topic(bus, monkeypatch):
    monkeypatch.setattr("shared.mqtt.bus.MAX_ROUTES", 2)
    heard = []
    bus.on(topics.OUTCOMES, lambda name, done: heard.append((name, done)))
    bus.on(topics.OUTCOMES, lambda name, _: heard.append(("only", name)), "pi-1")
    bus.on_plain(topics.CAMERA_SET, lambda one: heard.append(one.names))
    payload = DONE.model_dump_json().encode()
    for _ in range(2):  # the second time, the handlers are remembered
        for node in ("pi-1", "pi-2", "pi-3"):
            await bus._dispatch(received(f"a/b/cluster/outcomes/{node}", payload))
        await bus._dispatch(received("a/b/cameras/door/fps/set", b"2"))
        await bus._dispatch(received("a/b/elsewhere", payload))
        assert heard == [("pi-1", DONE), ("only", "pi-1"), ("pi-2", DONE), ("pi-3", DONE), ("door", "fps")]
        assert len(bus._routes) <= 2
        heard.clear()
