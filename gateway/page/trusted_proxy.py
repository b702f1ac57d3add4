"""A reverse proxy that has its own logins, and says in a header who asks. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Headers = Mapping[bytes, bytes]
    """Of a request, with names in small letters."""


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """The addresses whose headers are believed. Headers from elsewhere mean nothing."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    header: bytes = field(default=b"")
    """Of the user's name, in small letters; empty: the proxy has no logins."""

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
        """Return the address of who asks: as the proxy saw it, if the proxy says so."""
        if not self.sends(host):
            return host
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
        return forwarded or host

    def is_encrypted(self, host: str, headers: Headers) -> bool:
        """Return whether the proxy says that the browser has reached it encrypted."""
        return self.sends(host) and headers.get(b"x-forwarded-proto", b"").strip().lower() == b"https"
