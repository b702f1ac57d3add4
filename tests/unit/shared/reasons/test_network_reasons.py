from __future__ import annotations

import errno
import socket
import ssl

import pytest

from shared.errors import PeerTimeoutError
from shared.reasons.network_reasons import listen_reason, network_reason


def refused_as(reason):
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:2580)")
    error.reason = reason
    return error


def untrusted(code):
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
    error.verify_code, error.verify_message = code, "certificate verify failed"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "host name not found (is it spelt right"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "host name not found: no name server answers"),
        (TimeoutError(), "it does not answer"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "it does not answer"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "no"), "connection refused (nothing listens there"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no route to it"),
        (OverflowError("connect(): port must be 0-65535."), "invalid host name or port"),
        (ValueError("embedded null byte"), "invalid host name or port"),
        (UnicodeError("label empty or too long"), "invalid host name or port"),
        (untrusted(18), "its certificate is self-signed, and not trusted here (set it as the CA)"),
        (untrusted(10), "its certificate has expired (or is the clock of this device wrong?)"),
        (untrusted(77), "its certificate is not trusted: certificate verify failed"),
        (refused_as("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "it requires a client certificate"),
        (refused_as("WRONG_VERSION_NUMBER"), "it does not speak TLS on that port"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "no encrypted connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:1006)"), "the connection was lost"),
        (PeerTimeoutError("10.0.0.1:7 does not answer"), "10.0.0.1:7 does not answer"),
    ],
)
def test_a_reason_is_in_words(error, words):
    assert network_reason(error).startswith(words)
    assert "Errno" not in network_reason(error)


def test_a_port_of_the_administrator_is_named_as_such():
    error = PermissionError(errno.EACCES, "Permission denied")
    assert listen_reason(error, 80) == "permission denied (ports up to 1023 are for the administrator)"
    assert listen_reason(error, 1024) == "permission denied"
    assert listen_reason(OSError(errno.EADDRINUSE, "in use"), 80) == "the port is in use"
