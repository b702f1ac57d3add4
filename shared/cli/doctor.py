"""`deepthings doctor`: names the cause of what is wrong between this device and a detection."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from shared.cli.cluster_login import cluster_identity
from shared.cli.cluster_options import gateway_option, prefix_option
from shared.cli.common_options import json_option, verbose_option
from shared.cli.key_place import SERVICES_WITH_KEYS, key_place
from shared.cli.status import MIN_WIDTH
from shared.doctor.diagnosis import diagnose
from shared.doctor.doctor_facts import OwnKeys
from shared.doctor.doctor_findings import CheckResult
from shared.doctor.doctor_text import examination_lines
from shared.doctor.gathering import gather_facts
from shared.errors import ConfigurationError
from shared.logs.setup import configure_logging
from shared.mqtt.member_login import encrypted_broker
from shared.process.lifecycle import run_service, run_together
from shared.security.key_folder import find_identity
from shared.systemd.units import installed_units

if TYPE_CHECKING:
    from shared.network.addresses import Address
    from shared.security.node_identity import NodeIdentity

_FAILED = 1
"""Exit code if the doctor found a problem."""


@click.command()
@gateway_option
@prefix_option
@json_option
@verbose_option
def command(broker: Address, topic_prefix: str, as_json: bool, verbose: int) -> None:
    """Look for what is wrong between this device and a detection, and name the likely cause and the cure.

    It works on any device: the gateway's, an edge's, or a laptop. Exit code 1 if a check failed.
    """
    configure_logging(verbose)
    failures: list[str] = []
    run_service(lambda stop: run_together(stop.wait(), _examine(broker, topic_prefix, failures, as_json=as_json)))
    if failures:
        sys.exit(_FAILED)


async def _examine(broker: Address, prefix: str, failures: list[str], *, as_json: bool) -> None:
    """Print all findings; add the names of the checks that failed to `failures`."""
    address, keys, identity = _own_keys(broker)
    examination = diagnose(await gather_facts(address, prefix, keys, identity))
    if as_json:
        click.echo(examination.model_dump_json())
    else:
        width = max(MIN_WIDTH, shutil.get_terminal_size().columns)
        click.echo("\n".join(examination_lines(examination, width)))
    failures += [finding.check for finding in examination.findings if finding.result is CheckResult.FAILED]


def _own_keys(broker: Address) -> tuple[Address, OwnKeys, NodeIdentity | None]:
    """Return the address of the broker for this device, and the keys for it, with what is wrong with them."""
    folder = key_place().folder
    try:
        find_identity(folder)
        address, identity = cluster_identity(broker)
    except (ConfigurationError, PermissionError) as error:
        fault = str(error) if isinstance(error, ConfigurationError) else f"{folder} cannot be read: permission denied"
        return encrypted_broker(broker), OwnKeys(str(folder), fault=fault), None
    if identity is None:
        service = next((unit for unit in installed_units() if unit.role in SERVICES_WITH_KEYS), None)
        hidden = service is not None and os.geteuid() != 0
        fault = f"the keys are those of the service {service.name}: permission denied" if service and hidden else ""
        return address, OwnKeys(str(folder), fault=fault), None
    return address, OwnKeys(str(identity.folder), identity.member), identity
