"""Finds the state folder of the gateway that a command administers: given, configured, or that of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backup.gateway_service import adopt_service_environment, configuration_of_service
from gateway.configuration.reading.configuration_file import read_configuration
from gateway.configuration.root import Configuration
from shared.errors import ConfigurationError
from shared.systemd.units import installed_gateway

if TYPE_CHECKING:
    from pathlib import Path


def administered_state(configuration: Path | None, state: Path | None) -> Path:
    """Return the state folder: `state` if given, else that of the given configuration, else that of the service.

    Without a service it is the default folder. Raises ConfigurationError for a missing or invalid configuration.
    """
    if state is not None:
        return state
    service = installed_gateway()
    if service is not None and configuration in {None, configuration_of_service(service)}:
        adopt_service_environment(service)
        configuration = configuration_of_service(service)
    if configuration is None:
        return Configuration().state
    if not configuration.is_file():
        raise ConfigurationError(f"--config {configuration}: file not found")
    return read_configuration(configuration).state
