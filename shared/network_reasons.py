"""Why a connection or a port failed, in words: names, addresses, TLS, and what the system says."""

from __future__ import annotations

import socket
import ssl

from shared.errors import DeepThingsError
from shared.reasons import LOST, SILENT, reason

HIGHEST_PRIVILEGED_PORT = 1023


def network_reason(error: BaseException) -> str:
    """Return why a host was not reached, or a connection ended, as the end of a sentence."""
    if isinstance(error, DeepThingsError):
        return reason(error)
    if isinstance(error, socket.gaierror):
        return _name_reason(error)
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if isinstance(error, TimeoutError):
        return SILENT
    if isinstance(error, OverflowError | ValueError):
        return "invalid host name or port"
    return reason(error)


def listen_reason(error: BaseException, port: int) -> str:
    """Return why a port cannot be listened on, as the end of a sentence."""
    if isinstance(error, PermissionError) and 0 < port <= HIGHEST_PRIVILEGED_PORT:
        return f"permission denied (ports up to {HIGHEST_PRIVILEGED_PORT} are for the administrator)"
    return network_reason(error)


def _name_reason(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_AGAIN:
        return "host name not found: no name server answers (is the network up?)"
    return "host name not found (is it spelt right, and known in this network?)"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message or 'it cannot be verified'}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return LOST
    return "no encrypted connection can be made (does that port speak TLS?)"
