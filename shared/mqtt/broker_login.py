"""The login of a client at a broker: user and password, TLS, client certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.errors import BrokerError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    import socket
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """The settings of an encrypted connection; files are PEM.

    `ca` replaces the trusted authorities of the system; `server_name` replaces the host's name as the name that the
    broker's certificate must have; `insecure` turns the check of the certificate off.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    insecure: bool = False

    def context(self) -> TlsContext:
        """Read the files and return the context for the socket. Raises BrokerError that names the unusable file."""
        context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
        context.server_name = self.server_name
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca is None:
            context.load_default_certs()
        else:
            try:
                context.load_verify_locations(self.ca)
            except (OSError, ValueError) as error:
                raise BrokerError(f"CA file {self.ca} cannot be used: {_file_reason(error)}") from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, lambda: "")
            except (OSError, ValueError) as error:
                files = " and ".join(str(path) for path in (self.certificate, self.key) if path is not None)
                raise BrokerError(f"certificate {files} cannot be used: {_file_reason(error)}") from error
        return context


@dataclass(frozen=True, slots=True)
class Login:
    """User, password and encryption of a client; by default an anonymous client in plain text."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None


ANONYMOUS = Login()


class TlsContext(ssl.SSLContext):
    """The TLS context for paho-mqtt, which can expect another name in the certificate than the host's."""

    server_name: str | None = None
    _wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, sock: socket.socket, *args: Any, **named: Any) -> ssl.SSLSocket:  # noqa: ANN401  (as ssl has it)
        if self.server_name is not None:
            named["server_hostname"] = self.server_name
        self._wrapped = super().wrap_socket(sock, *args, **named)
        return self._wrapped

    def close_socket(self) -> None:
        """Close the socket: paho-mqtt leaves it open when the TLS handshake fails."""
        if self._wrapped is not None:
            self._wrapped.close()


def _file_reason(error: OSError | ValueError) -> str:
    """Return the reason why a file of certificates or keys cannot be used, as the end of a sentence."""
    if isinstance(error, ssl.SSLError):  # an OSError, but its errno is a number of OpenSSL
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key does not belong to the certificate"
        return "it is not a PEM file of this kind, or its key has a password (must be PEM, and a key without password)"
    return system_reason(error)
