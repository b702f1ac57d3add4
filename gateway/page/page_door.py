"""Decides how browsers reach the page: its address, its logins, and its certificate."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.authority.administration import reached_at
from gateway.authority.broker_logins import names_of_host
from gateway.page.page_logins import PageLogins
from gateway.page.page_sessions import PageSessions
from gateway.page.trusted_proxy import TrustedProxy
from shared.errors import ConfigurationError
from shared.files.whole_file import write_whole
from shared.network.addresses import Address
from shared.network.hosts import is_loopback
from shared.reasons.system_reasons import system_reason
from shared.security.issuing import make_key, public_key_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.authority.authority import Authority
    from gateway.broker.logins import LoginFile
    from gateway.configuration.page_section import PageSection

PAGE_FOLDER = "page"
"""The folder in the state folder for the key of cookies and the page's certificate. The certificate is kept, so that
people must accept it in their browser only once."""

SESSIONS_FILE, CERTIFICATE_FILE = "sessions.json", "certificate.pem"


@dataclass(frozen=True, slots=True)
class PageDoor:
    """The address of the page, and its logins; None: everybody who can reach the page may use it."""

    address: Address
    logins: PageLogins | None = None
    certificate: Path | None = None
    """A file with certificate and key; None: not encrypted."""

    @property
    def url(self) -> str:
        """Return the address for a browser."""
        return f"{'https' if self.certificate else 'http'}://{self.address}"

    @property
    def url_beyond(self) -> str:
        """Return the address for a browser of another machine, if other machines can reach the page."""
        return str(replace(self, address=Address(reached_at(self.address.host), self.address.port)).url)


def open_page_door(
    address: Address, section: PageSection, state: Path, authority: Authority | None, users: LoginFile | None
) -> PageDoor:
    """Return the door of a gateway; without keys (`authority`, `users`) it has no logins. Raises ConfigurationError."""
    if authority is None or users is None:
        return PageDoor(address)
    folder = state / PAGE_FOLDER
    encrypted = not is_loopback(address.host) if section.tls is None else section.tls
    logins = PageLogins(users, PageSessions(folder / SESSIONS_FILE), proxy_of(section))
    certificate = server_certificate(folder / CERTIFICATE_FILE, authority, address.host) if encrypted else None
    return PageDoor(address, logins, certificate)


def check_page_address(address: Address, *, keys: bool, insecure: bool) -> None:
    """Raise ConfigurationError if other machines could reach a page without logins."""
    if is_loopback(address.host) or keys or insecure:
        return
    raise ConfigurationError(
        f"the page would listen on {address.host}, and ask for no login, as a gateway on loopback has no keys: let the "
        "gateway listen on the network, too (cluster.listen, --listen 0.0.0.0); or leave page.listen as it is, and "
        f"reach the page from another machine with: ssh -L {address.port}:127.0.0.1:{address.port} HOST"
    )


def proxy_of(section: PageSection) -> TrustedProxy | None:
    """Return the reverse proxy of the configuration; None if it has none."""
    if not section.proxy_address:
        return None
    return TrustedProxy(
        ipaddress.ip_network(section.proxy_address, strict=False), (section.proxy_header or "").lower().encode("ascii")
    )


def server_certificate(path: Path, authority: Authority, listen: str) -> Path:
    """Return a file with a certificate of the authority and its key; make it again when the machine's names change."""
    hosts = names_of_host(listen)
    marked = hashlib.sha256("\n".join([authority.certificate.decode(), *hosts]).encode()).hexdigest()
    first_line = f"made for {marked}\n".encode()
    try:
        if not path.exists() or not path.read_bytes().startswith(first_line):
            key = make_key()
            write_whole(path, first_line + authority.issue_server(hosts, public_key_of(key)) + key)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be used: {system_reason(error)}") from error
    return path


def is_own_name(host: str) -> bool:
    """Return whether `host` is an IP address, or one of the names of this machine.

    A request with any other host may come from a page of another site whose name leads here (DNS rebinding).
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        own = socket.gethostname().lower()
        return host.lower() in {"localhost", own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}
    return True
