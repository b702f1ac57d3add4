"""`deepthings backup`: the gateway in one file."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.backup.archive import BACKUP_ENDINGS, write_archive
from gateway.backup.contents import collect_contents
from gateway.backup.gateway_service import adopt_service_environment, configuration_of_service
from gateway.commands.model_options import kept_configuration_option, kept_state_option
from shared.errors import ConfigurationError
from shared.systemd.units import installed_gateway


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@kept_configuration_option
@kept_state_option
def command(file: Path, configuration: Path | None, state: Path | None) -> None:
    """Write the configuration, the files that it names, its secrets, and the gateway's state into FILE.

    It contains passwords, so only you can read it. An existing FILE is replaced when the new one is complete.
    """
    if not file.name.endswith(BACKUP_ENDINGS):
        raise ConfigurationError(f"{file}: the name of a backup must end in {' or '.join(BACKUP_ENDINGS)}")
    service = installed_gateway()
    if configuration is not None and configuration.absolute() != configuration_of_service(service):
        service = None  # the configuration is another gateway's
    if service is not None:
        adopt_service_environment(service)
        configuration = configuration_of_service(service)
    if configuration is not None and not configuration.is_file():
        raise ConfigurationError(f"--config {configuration}: file not found")
    contents = collect_contents(configuration, state, service)
    if not contents.files:
        raise ConfigurationError("nothing to write; name the gateway's configuration file with --config")
    write_archive(contents, file)
    for item, path in contents.files.items():
        click.echo(f"{item.place:13} {path}")
    click.echo(f"{file}: {len(contents.files)} files, {file.stat().st_size / 1024:.0f} KiB. It may contain passwords.")
    if contents.variables:
        click.echo(
            f"Not in it: the environment variables {', '.join(contents.variables)}, which the configuration uses."
        )
