"""What the bus carries beside messages of its own: plain payloads, sets, requests with MQTT 5, other prefixes."""

from __future__ import annotations

import asyncio
import logging

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.bridge.requests import RequestHandler
from gateway.broker.planes import Planes
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.message_size import MAX_MESSAGE_BYTES
from shared.mqtt.outgoing import Outgoing
from shared.mqtt.received import Received
from shared.mqtt.topic_kinds import PlainTopic
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.bridge import Response
from shared.payloads.cluster import BridgeState, CameraStats, Helpers, State
from shared.payloads.frames import FrameCounts
from tests.harness import broker_at, connected, cut_off
from tests.ports import free_port

ONLINE, OFFLINE = (BridgeState(state=state, protocol=1) for state in (State.ONLINE, State.OFFLINE))
FPS = "deepthings/cameras/door/fps/set"


@pytest.fixture
async def broker():
    address = Address(LOOPBACK, free_port())
    async with broker_at(address):
        yield address


def hearing_plain(bus, topic):
    """A queue of all payloads of a plain topic."""
    heard: asyncio.Queue[Received] = asyncio.Queue()
    bus.on_plain(topic, heard.put_nowait)
    return heard


async def next_of(queue):
    return await asyncio.wait_for(queue.get(), 10)


def stranger(broker):
    """A client that is none of ours."""
    return aiomqtt.Client(*broker, protocol=aiomqtt.ProtocolVersion.V5)


async def read(client, count):
    """So many messages of a stranger's subscriptions."""
    async with asyncio.timeout(10):
        return [message async for _, message in _first(client.messages, count)]


async def _first(messages, count):
    number = 0
    async for message in messages:
        number += 1
        yield number, message
        if number == count:
            return


async def retained(broker, where="#"):
    """What a client that comes late is told, by topic. It knows the end by a message of its own."""
    async with stranger(broker) as client:
        await client.subscribe(where, qos=1)
        await client.subscribe("end", qos=1)
        await client.publish("end", b"", qos=1)
        told = {}
        async with asyncio.timeout(10):
            async for message in client.messages:
                if str(message.topic) == "end":
                    return told
                assert message.retain
                told[str(message.topic)] = message.payload
    raise AssertionError("the broker went away")


async def test_what_is_published_in_the_background_is_retained_if_its_topic_is(broker):
    speaker = Bus(broker, "speaker")
    async with connected(speaker):
        for seconds in (1.0, 2.0):
            speaker.publish_soon(topics.HELPERS, Helpers(seconds={"pi-1": seconds}))
        await asyncio.gather(*speaker._outbox)
    (told,) = (await retained(broker, topics.HELPERS.full_path())).values()
    assert Helpers.model_validate_json(told).seconds == {"pi-1": 2.0}


async def test_a_payload_that_is_no_message_arrives_as_it_is_with_all_names(broker):
    listener, speaker = Bus(broker, "listener"), Bus(broker, "speaker")
    heard = hearing_plain(listener, topics.CAMERA_SET)
    pictures = hearing_plain(listener, topics.LABEL_SNAPSHOT)
    async with connected(listener), connected(speaker):
        for payload in (b"5", b"", b"\xff\x00{"):
            await speaker.publish_plain(topics.CAMERA_SET, payload, "door", "fps")
            assert await next_of(heard) == Received(("door", "fps"), payload, retained=False)
        await speaker.publish_plain(topics.LABEL_SNAPSHOT, b"\xff\xd8" * 1000, "door", "person")
        assert await next_of(pictures) == Received(("door", "person"), b"\xff\xd8" * 1000, retained=False)
        assert heard.empty()


async def test_a_value_that_somebody_retained_is_known_as_such_at_every_connection_and_a_live_one_is_not(broker):
    async with stranger(broker) as client:
        await client.publish(FPS, b"1", qos=1, retain=True)
        listener = Bus(broker, "listener")
        heard = hearing_plain(listener, topics.CAMERA_SET)
        async with connected(listener):
            assert await next_of(heard) == Received(("door", "fps"), b"1", retained=True)
            await client.publish(FPS, b"2", qos=1)
            assert await next_of(heard) == Received(("door", "fps"), b"2", retained=False)
            await client.publish(FPS, b"3", qos=1, retain=True)  # said now, so it is carried out once
            assert await next_of(heard) == Received(("door", "fps"), b"3", retained=False)
            cut_off(listener)
            assert await next_of(heard) == Received(("door", "fps"), b"3", retained=True)


class Desk:
    """A gateway's requests on a bus of its own."""

    def __init__(self, broker):
        self.bus = Bus(broker, "gateway")
        self.asked = 0
        RequestHandler(Planes(self.bus), {"info": self._info})

    async def _info(self, _):
        self.asked += 1
        return {"asked": self.asked}


def wanting(response_topic=None, correlation=None):
    """Properties of a request that says where its answer is wanted."""
    properties = Properties(PacketTypes.PUBLISH)
    if response_topic is not None:
        properties.ResponseTopic = response_topic
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties


async def test_a_request_is_answered_below_the_gateway_and_where_mqtt_5_says(broker):
    desk = Desk(broker)
    async with connected(desk.bus), stranger(broker) as client:
        await client.subscribe("me/answers", qos=1)
        await client.subscribe("deepthings/bridge/response/+", qos=1)
        request = "deepthings/bridge/request/info"
        await client.publish(request, b'{"transaction": "7"}', qos=1, properties=wanting("me/answers", b"\x00\xff"))
        answers = {str(message.topic): message for message in await read(client, 2)}
        assert answers.keys() == {"me/answers", "deepthings/bridge/response/info"}
        for message in answers.values():
            expected = Response(command="info", ok=True, data={"asked": 1}, transaction="7")
            assert Response.model_validate_json(message.payload) == expected
        assert answers["me/answers"].properties.CorrelationData == b"\x00\xff"
        assert not hasattr(answers["deepthings/bridge/response/info"].properties, "CorrelationData")
        assert not await retained(broker)


async def test_a_request_that_says_no_place_is_answered_once(broker):
    desk = Desk(broker)
    async with connected(desk.bus), stranger(broker) as client:
        await client.subscribe("#", qos=1)
        for properties in (wanting(), wanting("me/answers")):
            await client.publish("deepthings/bridge/request/info", b"", qos=1, properties=properties)
        heard = [str(message.topic) for message in await read(client, 5)]
        assert heard.count("deepthings/bridge/request/info") == 2
        assert heard.count("deepthings/bridge/response/info") == 2
        assert heard.count("me/answers") == 1


@pytest.mark.parametrize("where", ["me/+", "#", "x" * 65_000 + "/+", "a/" * 300, "$SYS/me"])
async def test_a_place_where_no_answer_can_be_ends_nothing(broker, where, caplog):
    """A broker may pass it on, and would end our connection for following it."""
    desk = Desk(broker)
    async with connected(desk.bus), stranger(broker) as client, stranger(broker) as other:
        await client.subscribe("deepthings/bridge/response/+", qos=1)
        await client.publish("deepthings/bridge/request/info", b"", qos=1)
        await read(client, 1)
        try:
            await other.publish("deepthings/bridge/request/info", b"", qos=1, properties=wanting(where))
        except aiomqtt.MqttError:
            return  # this broker refuses it itself
        (message,) = await read(client, 1)
        assert "the response topic" in Response.model_validate_json(message.payload).error
        await client.publish("deepthings/bridge/request/info", b"", qos=1)
        (message,) = await read(client, 1)
        assert Response.model_validate_json(message.payload).data == {"asked": 2}
        assert caplog.text.count("connection was lost") == 0  # here: at its end the bus may still wait for the broker


async def test_a_retained_request_is_not_carried_out(broker, caplog):
    async with stranger(broker) as client:
        await client.subscribe("deepthings/bridge/response/+", qos=1)
        await client.publish("deepthings/bridge/request/info", b"", qos=1)
        await client.publish("deepthings/bridge/request/info", b'{"transaction": "old"}', qos=1, retain=True)
        desk = Desk(broker)
        with caplog.at_level(logging.WARNING):
            async with connected(desk.bus):
                await client.publish("deepthings/bridge/request/info", b'{"transaction": "new"}', qos=1)
                (message,) = await read(client, 1)
        assert Response.model_validate_json(message.payload).transaction == "new"
        assert desk.asked == 1
        assert "a retained request for info is ignored: publish it without retain" in caplog.text


async def test_a_bus_of_another_prefix_speaks_and_hears_below_it_and_nowhere_else(broker):
    will = Outgoing(topics.BRIDGE_STATE, OFFLINE)
    ours = Bus(broker, "ours", prefix="a/b", will=will)
    heard = hearing_plain(ours, topics.CAMERA_SET)
    stats: asyncio.Queue[tuple[str, CameraStats]] = asyncio.Queue()
    ours.on(topics.CAMERA_STATS, lambda name, message: stats.put_nowait((name, message)))
    said = CameraStats(camera="door", node="pi-1", counts=FrameCounts())
    async with stranger(broker) as client:
        async with connected(ours):
            await ours.publish(topics.BRIDGE_STATE, ONLINE)
            await ours.publish_plain(topics.CAMERA_SETTING, b"5", "door", "fps")
            for where in (FPS, "a/cameras/door/fps/set", "b/cameras/door/fps/set", "a/b/c/cameras/door/fps/set"):
                await client.publish(where, b"1", qos=1)
            await client.publish("a/b/cameras/door/fps/set", b"2", qos=1)
            await client.publish("a/b/cameras/door/stats", said.model_dump_json(), qos=1)
            assert await next_of(heard) == Received(("door", "fps"), b"2", retained=False)
            assert await next_of(stats) == ("door", said)
            assert heard.empty()
            assert set(await retained(broker)) == {"a/b/bridge/state", "a/b/cameras/door/fps/state"}
        told = await retained(broker)
        assert BridgeState.model_validate_json(told["a/b/bridge/state"]) == OFFLINE


async def test_the_will_of_a_bus_with_another_prefix_is_said_below_it(broker):
    ours = Bus(broker, "ours", prefix="a/b", will=Outgoing(topics.BRIDGE_STATE, OFFLINE))
    async with stranger(broker) as client:
        await client.subscribe("#", qos=1)
        async with connected(ours):
            cut_off(ours)
            (message,) = await read(client, 1)
            assert str(message.topic) == "a/b/bridge/state"
            assert BridgeState.model_validate_json(message.payload) == OFFLINE


async def test_topics_of_other_programs_have_no_prefix(broker):
    theirs = PlainTopic("{kind}/status", "a word", retain=True, root="other/program")
    speaker, listener = (Bus(broker, name, prefix="a/b") for name in ("speaker", "listener"))
    heard = hearing_plain(listener, theirs)
    async with connected(speaker), connected(listener):
        await speaker.publish_plain(theirs, b"well", "camera")
        assert await next_of(heard) == Received(("camera",), b"well", retained=False)
        await speaker.publish_at("elsewhere/x/config", "{}", retain=True)
        assert await retained(broker) == {"other/program/camera/status": b"well", "elsewhere/x/config": b"{}"}


async def test_what_is_cleared_is_not_told_to_who_comes_late_and_is_no_message(broker, caplog):
    speaker, listener = Bus(broker, "speaker"), Bus(broker, "listener")
    states: asyncio.Queue[BridgeState] = asyncio.Queue()
    listener.on(topics.BRIDGE_STATE, lambda _, message: states.put_nowait(message))
    async with connected(speaker), connected(listener):
        await speaker.publish(topics.BRIDGE_STATE, ONLINE)
        await speaker.publish_plain(topics.CAMERA_AVAILABILITY, b"online", "door")
        await speaker.publish_plain(topics.CAMERA_AVAILABILITY, b"online", "yard")
        assert await next_of(states) == ONLINE
        await speaker.clear_retained(topics.BRIDGE_STATE)
        await speaker.clear_retained(topics.CAMERA_AVAILABILITY, "door")
        await speaker.clear_retained(topics.CAMERA_AVAILABILITY, "attic")
        assert await retained(broker) == {"deepthings/cameras/yard/availability": b"online"}
        await speaker.publish(topics.BRIDGE_STATE, OFFLINE)
        assert await next_of(states) == OFFLINE  # and nothing between the two
    assert "message ignored" not in caplog.text


async def test_what_cannot_be_published_is_an_error_that_names_the_topic(broker):
    bus = Bus(broker, "speaker")
    with pytest.raises(BrokerError, match="not connected"):
        await bus.clear_retained(topics.CAMERA_AVAILABILITY, "door")
    async with connected(bus):
        with pytest.raises(BrokerError, match="too large for deepthings/detections/door/snapshot"):
            await bus.publish_plain(topics.SNAPSHOT, b"x" * (MAX_MESSAGE_BYTES + 1), "door")
        with pytest.raises(BrokerError, match=r"did not accept deepthings/detections/\+/snapshot"):
            await bus.publish_plain(topics.SNAPSHOT, b"x")
        await bus.publish_plain(topics.SNAPSHOT, b"x" * 900_000, "door")
        assert len((await retained(broker))["deepthings/detections/door/snapshot"]) == 900_000


async def test_a_handler_that_fails_loses_its_message_and_no_other(broker, caplog):
    speaker, listener = Bus(broker, "speaker"), Bus(broker, "listener")
    heard: asyncio.Queue[str] = asyncio.Queue()

    def fail(received: Received) -> None:
        heard.put_nowait(received.names[0])
        raise KeyError(received.names[0])

    listener.on_plain(topics.CAMERA_AVAILABILITY, fail)
    async with connected(listener) as running, connected(speaker):
        for name in ("door", "yard", "door"):
            await speaker.publish_plain(topics.CAMERA_AVAILABILITY, b"online", name)
            assert await next_of(heard) == name
        assert not running.done()
    assert caplog.text.count("message failed") == 1  # what repeats is not logged each time
    assert "Traceback" in caplog.text


async def test_a_handler_apart_that_waits_holds_up_no_other_and_what_waits_for_it_is_bounded(
    broker, caplog, monkeypatch
):
    monkeypatch.setattr("shared.mqtt.bus.MAX_BACKLOG", 2)
    speaker, listener = Bus(broker, "speaker"), Bus(broker, "listener")
    begun, free, handled = asyncio.Event(), asyncio.Event(), asyncio.Queue()

    async def slow(received: Received) -> None:
        begun.set()
        await free.wait()
        handled.put_nowait(received.payload)

    listener.on_plain(topics.CAMERA_SET, slow, queued=True)
    others = hearing_plain(listener, topics.CAMERA_AVAILABILITY)
    async with connected(listener), connected(speaker):
        await speaker.publish_plain(topics.CAMERA_SET, b"0", "door", "fps")
        await asyncio.wait_for(begun.wait(), 10)
        for number in range(1, 5):
            await speaker.publish_plain(topics.CAMERA_SET, b"%d" % number, "door", "fps")
        await speaker.publish_plain(topics.CAMERA_AVAILABILITY, b"online", "door")
        assert (await next_of(others)).payload == b"online"
        free.set()
        assert [await next_of(handled) for _ in range(3)] == [b"0", b"1", b"2"]
    assert caplog.text.count("message ignored: too many are waiting already") == 1


async def test_what_the_connection_does_not_take_at_once_follows(broker):
    """Messages of one turn of the loop leave together; these are more than a socket takes."""
    listener, speaker = Bus(broker, "listener"), Bus(broker, "speaker")
    heard = hearing_plain(listener, topics.SNAPSHOT)
    async with connected(listener), connected(speaker):
        pictures = [b"%02d" % number + bytes(MAX_MESSAGE_BYTES // 2) for number in range(30)]
        await asyncio.gather(*(speaker.publish_plain(topics.SNAPSHOT, picture, "door") for picture in pictures))
        assert [(await next_of(heard)).payload for _ in pictures] == pictures


async def test_who_waits_for_a_broker_that_has_gone_hears_of_it_at_once(broker):
    """aiomqtt alone would have it wait for 10 s, and every message that comes meanwhile."""
    listener, speaker = Bus(broker, "listener"), Bus(broker, "speaker")
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def publish_into_the_void(_: Received) -> None:
        cut_off(listener)
        try:
            await listener.publish(topics.BRIDGE_STATE, ONLINE)
        except BrokerError as error:
            ended.put_nowait(str(error))

    listener.on_plain(topics.CAMERA_AVAILABILITY, publish_into_the_void)
    async with connected(listener), connected(speaker):
        await speaker.publish_plain(topics.CAMERA_AVAILABILITY, b"", "door")
        assert "the connection was lost" in await asyncio.wait_for(ended.get(), 5)
        await asyncio.wait_for(listener.connected.wait(), 10)
