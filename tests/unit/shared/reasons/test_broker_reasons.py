from __future__ import annotations

import errno
import re

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from shared.errors import BrokerError
from shared.reasons.broker_reasons import BROKER_REASONS, broker_reason, is_refusal


def caused(error, cause=None, context=None):
    error.__cause__, error.__context__ = cause, context
    return error


def code(number, packet=PacketTypes.DISCONNECT):
    return aiomqtt.MqttCodeError(ReasonCode(packet, identifier=number), "Disconnected during message iteration")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused(aiomqtt.MqttError("x"), aiomqtt.MqttCodeError(7)), "the connection was lost"),
        (caused(aiomqtt.MqttError("x"), code(128)), "the connection was lost"),
        (code(134, PacketTypes.CONNACK), "bad user name or password"),
        (code(135, PacketTypes.CONNACK), "not authorised"),
        (code(130), "it reports a protocol error"),
        (code(136, PacketTypes.CONNACK), "the server is not available"),
        (code(141), "no message came from it for too long"),
        (code(142), "another client has connected under our client id"),
        (code(149), "the message is larger than it allows"),
        (code(151), "its quota is exceeded"),
        (aiomqtt.MqttCodeError(4), "there is no connection"),
        (aiomqtt.MqttCodeError(16), "it does not answer any more"),
        (aiomqtt.MqttCodeError(99), "it refused, or the connection failed"),
        (
            caused(aiomqtt.MqttError("[Errno 111] Connection refused"), context=OSError(errno.ECONNREFUSED, "no")),
            "connection refused",
        ),
        (aiomqtt.MqttError("Operation timed out"), "it does not answer"),
        (aiomqtt.MqttError("[code:128] Unspecified error"), "Unspecified error"),
        (aiomqtt.MqttError(""), "the connection failed"),
        (caused(BrokerError("said already"), TimeoutError(), TimeoutError()), "said already"),
    ],
)
def test_a_broker_that_is_not_there_has_a_reason_without_codes(error, words):
    assert broker_reason(error).startswith(words)


@pytest.mark.parametrize("number", range(256))
def test_no_reason_has_a_number_of_mqtt(number):
    words = broker_reason(aiomqtt.MqttCodeError(number, "Disconnected"))
    assert not re.search(r"\[|code|\d", words.replace("MQTT 5", ""))


def test_every_failure_that_mqtt_names_has_its_own_words():
    named = ReasonCode(PacketTypes.DISCONNECT, identifier=128).names
    assert {number for number in named if number >= 128} <= BROKER_REASONS.keys()


def test_only_who_is_not_let_in_is_refused():
    assert is_refusal(code(134, PacketTypes.CONNACK))
    assert is_refusal(code(135, PacketTypes.CONNACK))
    assert not is_refusal(caused(aiomqtt.MqttError("x"), code(128)))
