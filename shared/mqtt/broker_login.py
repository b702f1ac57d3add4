"""How a client logs in to a broker: user and password, encryption, a certificate of its own."""

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
    """An encrypted connection; files are PEM.

    `ca` are the authorities that are trusted, instead of the system's; `server_name` is the name that the broker's
    certificate must have, instead of the host's; `insecure` trusts whoever answers.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    insecure: bool = False

    def context(self) -> TlsContext:
        """Return what a socket needs. Reads the files. Raises BrokerError that names the one that cannot be used."""
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
    """Who the client says it is, and how it protects that; without anything, an anonymous client in plain text."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None


ANONYMOUS = Login()


class TlsContext(ssl.SSLContext):
    """What paho-mqtt wraps its socket with; it may expect another name in the certificate than the host's."""

    server_name: str | None = None
    _wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, sock: socket.socket, *args: Any, **named: Any) -> ssl.SSLSocket:  # noqa: ANN401  (as ssl has it)
        if self.server_name is not None:
            named["server_hostname"] = self.server_name
        self._wrapped = super().wrap_socket(sock, *args, **named)
        return self._wrapped

    def close_socket(self) -> None:
        """Close the socket, which paho-mqtt leaves open when it cannot be encrypted."""
        if self._wrapped is not None:
            self._wrapped.close()


def _file_reason(error: OSError | ValueError) -> str:
    """Return why a file of certificates or keys cannot be used, as the end of a sentence."""
    if isinstance(error, ssl.SSLError):  # one of OSError's kinds, with numbers of OpenSSL's
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is of another certificate"
        return "it is not PEM of that kind, or its key has a password (must be PEM, a key without password)"
    return system_reason(error)
