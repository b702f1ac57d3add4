"""Reasons of failed connections and ports in plain English: host names, addresses, TLS, system errors."""

from __future__ import annotations

import socket
import ssl

from shared.errors import DeepThingsError
from shared.reasons.system_reasons import CONNECTION_LOST, NO_ANSWER, system_reason

MAX_PRIVILEGED_PORT = 1023
"""Up to this port, only root may listen by default; see ip(7)."""

CERTIFICATE_REASONS = {
    9: "is not valid yet (is the clock of this device right?)",
    10: "has expired (or is the clock of this device wrong?)",
    18: "is self-signed, and not trusted here (set it as the CA)",
    19: "is signed by an unknown authority (set its CA)",
    20: "is signed by an unknown authority (set its CA)",
    21: "is signed by an unknown authority (set its CA)",
    62: "is for another name (is the address right?)",
    64: "is for another name, not for this address (connect by the name in it)",
}
"""By OpenSSL's verify code: what is wrong with a certificate."""

PLAIN_TEXT_ERRORS = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE", "PACKET_LENGTH_TOO_LONG"}
)
"""OpenSSL's reasons when the peer answers in plain text."""

CERTIFICATE_ERRORS = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    }
)  # fmt: skip
"""OpenSSL's reasons when the peer refuses our certificate, or requires one."""


def network_reason(error: BaseException) -> str:
    """Return the reason why a host was not reached or a connection ended, as the end of a sentence."""
    if isinstance(error, DeepThingsError):
        return system_reason(error)
    if isinstance(error, socket.gaierror):
        return _name_reason(error)
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    if isinstance(error, OverflowError | ValueError):
        return "invalid host name or port"
    return system_reason(error)


def listen_reason(error: BaseException, port: int) -> str:
    """Return the reason why a port cannot be listened on, as the end of a sentence."""
    if isinstance(error, PermissionError) and 0 < port <= MAX_PRIVILEGED_PORT:
        return f"permission denied (ports up to {MAX_PRIVILEGED_PORT} are for the administrator)"
    return network_reason(error)


def _name_reason(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_AGAIN:
        return "host name not found: no name server answers (is the network up?)"
    return "host name not found (is it spelt right, and known in this network?)"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        other = f"is not trusted: {error.verify_message or 'it cannot be verified'}"
        return f"its certificate {CERTIFICATE_REASONS.get(error.verify_code, other)}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return CONNECTION_LOST
    why = getattr(error, "reason", None)  # errors that Python itself raises have none
    if why in PLAIN_TEXT_ERRORS:
        return "it does not speak TLS on that port (is the port right, or should the connection be plain text?)"
    if why in CERTIFICATE_ERRORS:
        return "it requires a client certificate, or does not accept ours"
    return "no encrypted connection can be made (does that port speak TLS?)"
