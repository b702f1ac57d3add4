"""Why something of the network failed, in words: no numbers of the system or of MQTT."""

from __future__ import annotations

import errno
import socket

import paho.mqtt.client

from shared.errors import DeepThingsError

WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "no route to it",
    errno.ENETDOWN: "the network is down",
    errno.ETIMEDOUT: "it does not answer",
    errno.ECONNRESET: "the connection was lost",
    errno.ECONNABORTED: "the connection was lost",
    errno.EPIPE: "the connection was lost",
    errno.ENOTCONN: "the connection was lost",
    errno.EADDRINUSE: "the port is in use",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.EMFILE: "too many open files",
}

NOT_AUTHORIZED = frozenset({134, 135})
"""MQTT 5's codes of a broker that does not let us in."""

LOST = frozenset({7, 128})
"""Codes of a connection that ended without a reason that says anything: paho-mqtt's own, and "unspecified"."""


def reason(error: BaseException) -> str:
    """Return why a connection or a port failed, as the end of a sentence."""
    if isinstance(error, socket.gaierror):
        return "host name not found"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError):
        return WORDS.get(error.errno or 0) or (error.strerror or str(error) or "it failed").lower()
    if isinstance(error, OverflowError | ValueError):
        return "invalid host name or port"
    return str(error) or "it failed"


def broker_reason(error: BaseException) -> str:
    """Return why a broker did not answer, or is not connected any more, as the end of a sentence."""
    if isinstance(error, DeepThingsError):  # it says so already
        return str(error)
    code = _code(error)
    if code in LOST:
        return "the connection was lost"
    if code is not None:
        return paho.mqtt.client.error_string(code).rstrip(".").lower() if code < 128 else _name(error)
    if isinstance(error.__context__, OSError):  # aiomqtt makes text of it, with its number
        return reason(error.__context__)
    return str(error)


def refused(error: BaseException) -> bool:
    """Return whether a broker does not let us in, which trying again does not change."""
    return _code(error) in NOT_AUTHORIZED


def _code(error: BaseException) -> int | None:
    code = getattr(error.__cause__ or error, "rc", None)  # a ReasonCode of the broker's, or a number of paho-mqtt's
    code = getattr(code, "value", code)
    return code if isinstance(code, int) else None


def _name(error: BaseException) -> str:
    return str(getattr(error.__cause__ or error, "rc", "")).lower()
