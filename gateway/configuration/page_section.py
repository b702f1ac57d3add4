"""The section of the gateway's page."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.configuration.names import ConfiguredHost
from shared.network.addresses import LOOPBACK
from shared.network.hosts import is_loopback
from shared.network.ports import PAGE_PORT
from shared.settings.section import Section


def require_loopback(host: str) -> str:
    """Return a loopback address. Raises ValueError for others, as the page has no login yet."""
    if not is_loopback(host):
        raise ValueError(
            "the page has no login in this release, so only this machine may open it; write 127.0.0.1, and reach it "
            f"from another one with: ssh -L {PAGE_PORT}:{LOOPBACK}:{PAGE_PORT} HOST"
        )
    return host


class PageSection(Section):
    """The page for a browser, and the metrics for Prometheus at its path /metrics."""

    enabled: bool = True
    """Serve the page."""
    listen: Annotated[ConfiguredHost, AfterValidator(require_loopback)] = LOOPBACK
    """The address that it listens on, a loopback one: `ssh -L` reaches it from other machines."""
    port: int = Field(default=PAGE_PORT, ge=1, le=65535)
    """Its port."""
