"""Why a broker did not answer, or let us go, in words: no numbers of MQTT or of its libraries."""

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
"""MQTT 5's codes of a broker that does not let us in, which trying again does not change."""

LOGIN_REFUSED = "bad user name or password, or none (or its access rules do not allow this client)"
"""Mosquitto has one code for all of these."""

BROKER_REASONS = {
    **BROKER_REFUSALS,
    # paho-mqtt's own
    1: "there is not enough memory",
    2: "what came is not MQTT (is another program on that port?)",
    4: "there is no connection",
    5: "it refused the connection",
    7: CONNECTION_LOST,
    14: CONNECTION_LOST,
    8: "no encrypted connection can be made (does that port speak TLS?)",
    15: "too many messages wait for it",
    16: "it does not answer any more",
    # MQTT 5's
    128: CONNECTION_LOST,  # "unspecified"
    129: "it did not understand us (does it speak MQTT 5?)",
    130: "it says that we broke the protocol (does it speak MQTT 5?)",
    131: "it does not accept such a message",
    132: "it does not speak MQTT 5: update it",
    133: "it does not accept our client id",
    136: "the server is not available at the moment",
    137: "it has too much to do at the moment",
    138: "it has banned this client",
    139: "it is shutting down",
    140: "it wants another way to log in",
    141: "nothing was heard of it for too long (does it hang, or is the network weak?)",
    142: "another client has connected under our client id",
    143: "it does not accept the topic filter",
    144: "it does not accept the topic",
    145: "it mixes our messages up",
    146: "it mixes our messages up",
    147: "we sent more at once than it takes",
    148: "it does not know the topic that we shortened",
    149: "the message is larger than it allows",
    150: "we sent more often than it allows",
    151: "its quota is exceeded",
    152: "its administrator ended the connection",
    153: "it does not accept the form of the message",
    154: "it does not keep retained messages, which are needed: allow them there",
    155: "it does not support that quality of service",
    156: "it wants us to use another server",
    157: "it has moved to another server",
    158: "it does not share subscriptions",
    159: "it allows fewer connections at once",
    160: "the connection had lasted as long as it allows",
    161: "it does not number subscriptions",
    162: "it does not take subscriptions with + and #, which are needed: allow them there",
}


def broker_reason(error: BaseException) -> str:
    """Return why a broker did not answer, or is not connected any more, as the end of a sentence."""
    if isinstance(error, DeepThingsError):  # it says so already
        return str(error)
    code = _code(error)
    if code in BROKER_REFUSALS and isinstance(error, MqttConnectError):
        return LOGIN_REFUSED
    if code is not None:
        return BROKER_REASONS.get(code, "it refused, or the connection failed")
    if isinstance(error.__context__, OSError | ValueError):  # aiomqtt makes text of it, with its number
        return network_reason(error.__context__)
    if isinstance(error, aiomqtt.MqttError) and "timed out" in str(error):
        return NO_ANSWER
    return re.sub(r"\[[^\]]*\]:?\s*", "", str(error)).strip() or "the connection failed"


def is_refusal(error: BaseException) -> bool:
    """Return whether a broker does not let us in, which trying again does not change."""
    return _code(error) in BROKER_REFUSALS


def _code(error: BaseException) -> int | None:
    code = getattr(error.__cause__ or error, "rc", None)  # a ReasonCode of the broker's, or a number of paho-mqtt's
    code = getattr(code, "value", code)
    return code if isinstance(code, int) else None
