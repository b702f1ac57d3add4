"""Reads the headers of a reverse proxy, which may have its own logins, and name the user in a header. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Headers = Mapping[bytes, bytes]
    """The headers of a request, by name in small letters."""


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """The addresses of the proxy. Headers of requests from other addresses are ignored."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    header: bytes = field(default=b"")
    """The name of the header with the user, in small letters; empty: the proxy has no logins."""

    def sends(self, host: str) -> bool:
        """Return whether a request from this address comes from the proxy."""
        try:
            found = ipaddress.ip_address(host)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return found in self.network

    def user_in(self, host: str, headers: Headers) -> str:
        """Return the user that the proxy names; empty if there is none."""
        if not self.header or not self.sends(host):
            return ""
        return headers.get(self.header, b"").decode("latin-1").strip()

    def client_of(self, host: str, headers: Headers) -> str:
        """Return the address of the client: the one in the proxy's header, if the request comes from the proxy."""
        if not self.sends(host):
            return host
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
        return forwarded or host

    def is_encrypted(self, host: str, headers: Headers) -> bool:
        """Return whether the proxy reports that the browser's connection is encrypted."""
        return self.sends(host) and headers.get(b"x-forwarded-proto", b"").strip().lower() == b"https"
