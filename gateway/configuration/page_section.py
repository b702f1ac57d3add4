"""The section of the gateway's page."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from gateway.configuration.names import ConfiguredHost
from shared.network.addresses import LOOPBACK
from shared.network.ports import PAGE_PORT
from shared.settings.section import Section


def check_proxy_address(text: str) -> str:
    """Return `text` if it is an IP address or a network; else raise ValueError."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("write the reverse proxy's address, as 192.168.1.5, or network, as 172.18.0.0/16") from None
    return text


def check_header_name(text: str) -> str:
    """Return `text` if it is the name of an HTTP header; else raise ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise ValueError("write the name of a header, as Remote-User")
    return text


class PageSection(Section):
    """The page for a browser, and the metrics for Prometheus at its path /metrics."""

    enabled: bool = True
    """Serve the page."""
    listen: ConfiguredHost = LOOPBACK
    """The address that it listens on; `0.0.0.0` for all of this machine, which a gateway with keys may do only."""
    port: int = Field(default=PAGE_PORT, ge=1, le=65535)
    """Its port."""
    tls: bool | None = None
    """Encrypt it, with a certificate of the cluster's authority; if not given, unless it listens on loopback."""
    proxy_address: Annotated[str, AfterValidator(check_proxy_address)] | None = None
    """The address of a reverse proxy, or its network, whose headers are believed."""
    proxy_header: Annotated[str, AfterValidator(check_header_name)] | None = None
    """The header in which the reverse proxy names who has logged in there, such as `Remote-User`."""

    @model_validator(mode="after")
    def check_proxy(self) -> PageSection:
        """Refuse to believe a header that anybody can send."""
        if self.proxy_header is not None and self.proxy_address is None:
            raise ValueError("proxy_header needs proxy_address: from other addresses, anybody could send it")
        return self
