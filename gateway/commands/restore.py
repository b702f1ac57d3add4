"""`deepthings restore`: a gateway from a backup."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from gateway.backup.archive import unpack
from gateway.backup.gateway_service import adopt_service_environment, configuration_of_service, owner_of_files
from gateway.backup.restoring import check_moves, plan_moves, write_files
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from gateway.configuration.paths import DEFAULT_CONFIGURATION_FILE
from shared.cli.common_options import EXISTING_FILE
from shared.files.unfinished import temporary_folder
from shared.systemd.units import installed_gateway


@click.command()
@click.argument("file", type=EXISTING_FILE)
@kept_configuration_option
@kept_state_option
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--elsewhere", is_flag=True, help="Also write files to places that only the backup names.")
def command(file: Path, configuration: Path | None, state: Path | None, *, force: bool, elsewhere: bool) -> None:
    """Restore the files of a backup: the configuration into this folder, or to its place for the service.

    Restore only your own backups: hooks of a configuration are commands. The gateway must not run meanwhile.
    """
    service = installed_gateway()
    if service is not None and (configuration is None or configuration.absolute() == configuration_of_service(service)):
        adopt_service_environment(service)
        configuration = configuration_of_service(service)
    with temporary_folder("restore") as folder:
        manifest, unpacked = unpack(file, folder)
        item = manifest.configuration
        target = configuration or Path(item.path if item else DEFAULT_CONFIGURATION_FILE)
        planned, kept = plan_moves(manifest, unpacked, target, state)
        check_moves(planned, kept, force=force, elsewhere=elsewhere)
        write_files(planned, owner_of_files(service, target.absolute().parent))
    for move in planned:
        click.echo(f"restored {move.target}")
    click.echo(f"The gateway of {manifest.host} is restored, as of release {manifest.release}.")
    option = f" --config {shlex.quote(str(target.absolute()))}" if item else ""
    if manifest.service is not None and service is None:
        click.echo(f"There it was a service with the options: {shlex.join(manifest.service)}")
    click.echo("Start it: systemctl start deepthings-gateway" if service else f"Start it: deepthings gateway{option}")
