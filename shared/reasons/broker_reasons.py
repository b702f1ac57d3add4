"""Reasons of failed broker connections in plain English, without codes of MQTT or of its libraries."""

from __future__ import annotations

import re

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from shared.errors import DeepThingsError
from shared.reasons.network_reasons import network_reason
from shared.reasons.system_reasons import CONNECTION_LOST, NO_ANSWER

BROKER_REFUSALS = {
    134: "bad user name or password",
    135: "not authorised (its access rules do not allow this client)",
}
"""MQTT 5's codes of a refused login: trying again does not help."""

LOGIN_REFUSED = "bad user name or password, or none (or its access rules do not allow this client)"
"""The reason for a refused login: Mosquitto uses one code for all of these cases."""

BROKER_REASONS = {
    **BROKER_REFUSALS,
    # paho-mqtt's own
    1: "there is not enough memory",
    2: "it does not speak MQTT (is another program on that port?)",
    4: "there is no connection",
    5: "it refused the connection",
    7: CONNECTION_LOST,
    14: CONNECTION_LOST,
    8: "no encrypted connection can be made (does that port speak TLS?)",
    15: "too many messages are waiting for it",
    16: "it does not answer any more",
    # MQTT 5's
    128: CONNECTION_LOST,  # "unspecified"
    129: "it did not understand our message (does it speak MQTT 5?)",
    130: "it reports a protocol error (does it speak MQTT 5?)",
    131: "it does not accept this message",
    132: "it does not speak MQTT 5: update it",
    133: "it does not accept our client id",
    136: "the server is not available at the moment",
    137: "it is too busy at the moment",
    138: "it has banned this client",
    139: "it is shutting down",
    140: "it requires another login method",
    141: "no message came from it for too long (does it hang, or is the network weak?)",
    142: "another client has connected under our client id",
    143: "it does not accept the topic filter",
    144: "it does not accept the topic",
    145: "it confuses the numbers of our messages",
    146: "it confuses the numbers of our messages",
    147: "we sent more at once than it accepts",
    148: "it does not know our topic alias",
    149: "the message is larger than it allows",
    150: "we sent more often than it allows",
    151: "its quota is exceeded",
    152: "its administrator closed the connection",
    153: "it does not accept the format of the message",
    154: "it does not support retained messages, which are required: allow them there",
    155: "it does not support that quality of service",
    156: "it asks us to use another server",
    157: "it has moved to another server",
    158: "it does not support shared subscriptions",
    159: "it allows fewer connections at once",
    160: "the connection had lasted as long as it allows",
    161: "it does not support subscription identifiers",
    162: "it does not support subscriptions with + and #, which are required: allow them there",
}


def broker_reason(error: BaseException) -> str:
    """Return the reason why a broker is not connected, as the end of a sentence."""
    if isinstance(error, DeepThingsError):  # its message is the reason
        return str(error)
    code = _code(error)
    if code in BROKER_REFUSALS and isinstance(error, MqttConnectError):
        return LOGIN_REFUSED
    if code is not None:
        return BROKER_REASONS.get(code, "it refused, or the connection failed")
    if isinstance(error.__context__, OSError | ValueError):  # aiomqtt's own message has only its number
        return network_reason(error.__context__)
    if isinstance(error, aiomqtt.MqttError) and "timed out" in str(error):
        return NO_ANSWER
    return re.sub(r"\[[^\]]*\]:?\s*", "", str(error)).strip() or "the connection failed"


def is_refusal(error: BaseException) -> bool:
    """Return whether a broker refuses the login or a topic: trying again does not help."""
    return _code(error) in BROKER_REFUSALS


def _code(error: BaseException) -> int | None:
    code = getattr(error.__cause__ or error, "rc", None)  # the broker's ReasonCode, or a number of paho-mqtt
    code = getattr(code, "value", code)
    return code if isinstance(code, int) else None
