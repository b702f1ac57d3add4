from __future__ import annotations

import errno
import os
import re
import socket

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from shared.errors import BrokerError
from shared.reasons import broker_reason, reason, refused

UNSPECIFIED = ReasonCode(PacketTypes.DISCONNECT, identifier=128)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 7)"), "connection refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to it"),
        (OSError(errno.EADDRINUSE, "Address already in use"), "the port is in use"),
        (socket.gaierror(-2, "Name or service not known"), "host name not found"),
        (TimeoutError(), "it does not answer"),
        (OverflowError("connect(): port must be 0-65535."), "invalid host name or port"),
        (ValueError("embedded null byte"), "invalid host name or port"),
        (UnicodeError("label empty or too long"), "invalid host name or port"),
        (OSError("odd"), "odd"),
        (ConnectionResetError(), "it failed"),
    ],
)
def test_a_reason_is_in_words(error, words):
    assert reason(error) == words


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_reason_has_a_number_of_the_system(number):
    assert not re.search(rf"\b{number}\b|Errno", reason(OSError(number, os.strerror(number))))


def caused(error, cause=None, context=None):
    error.__cause__, error.__context__ = cause, context
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused(aiomqtt.MqttError("x"), aiomqtt.MqttCodeError(7)), "the connection was lost"),
        (caused(aiomqtt.MqttError("x"), aiomqtt.MqttCodeError(UNSPECIFIED)), "the connection was lost"),
        (aiomqtt.MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=134)), "bad user name or password"),
        (aiomqtt.MqttCodeError(4), "the client is not currently connected"),
        (
            caused(aiomqtt.MqttError("[Errno 111] Connection refused"), context=OSError(errno.ECONNREFUSED, "no")),
            "connection refused",
        ),
        (aiomqtt.MqttError("Operation timed out"), "Operation timed out"),
        (caused(BrokerError("said already"), TimeoutError(), TimeoutError()), "said already"),
    ],
)
def test_a_broker_that_is_not_there_has_a_reason_without_codes(error, words):
    assert broker_reason(error) == words


def test_only_who_is_not_let_in_is_refused():
    assert refused(aiomqtt.MqttCodeError(ReasonCode(PacketTypes.CONNACK, identifier=135)))
    assert not refused(caused(aiomqtt.MqttError("x"), aiomqtt.MqttCodeError(UNSPECIFIED)))
