"""`deepthings init`: a first configuration, by questions or by options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.annotation.boxes import write_picture
from gateway.cameras.zone_picture import draw_shot
from gateway.configuration.connect_check import try_connections
from gateway.configuration.paths import DEFAULT_CONFIGURATION_FILE
from gateway.init import answers
from gateway.init.documents import write_texts
from gateway.init.files import local_schema_path, require_writable, secrets_beside, this_device, write_documents
from gateway.init.given import GivenAnswers, given_broker, given_cameras, given_labels
from gateway.init.next_steps import next_steps
from gateway.init.questions import Interview, ask_file
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from shared.cli.common_options import EXISTING_FILE, ParsedType
from shared.errors import ConfigurationError, DeepThingsError, SourceError
from shared.process.signals import exit_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.configuration.root import Configuration
    from shared.model.arrays import Pixels

NO_TERMINAL = "this is not a terminal, so nothing is asked, as with --no-input"


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_CONFIGURATION_FILE)
@click.option(
    "--no-input", is_flag=True, help="Ask nothing; everything without an option has its default, or is an error."
)
@click.option("--broker", metavar="HOST[:PORT]", help="The MQTT broker of the house.")
@click.option("--no-broker", is_flag=True, help="The house has no broker; everyone uses the gateway's own.")
@click.option("--username", help="The gateway's user name at the broker.")
@click.option("--password-file", type=EXISTING_FILE, help="A file that contains only the password.")
@click.option("--tls", is_flag=True, help="The connection with the broker is encrypted.")
@click.option("--ca", type=EXISTING_FILE, help="The CA of the broker's certificate.  [default: those that are trusted]")
@click.option(
    "--camera", "cameras", type=ParsedType("NAME=ADDRESS", answers.parse_named_camera), multiple=True,
    help="A camera; repeat the option for more cameras.",
)  # fmt: skip
@click.option(
    "--track", metavar="LABELS", multiple=True, help="Labels to follow, separated by commas.  [default: person]"
)
@click.option(
    "--listen", metavar="HOST", type=ParsedType("HOST", answers.parse_host),
    help="Address to listen on; 0.0.0.0 if other devices compute, too.  [default: 127.0.0.1]",
)  # fmt: skip
@click.option("--no-try", is_flag=True, help="Try neither the broker nor the cameras.")
@click.option("--force", is_flag=True, help="Replace FILE.")
def command(
    file: Path, *, no_input: bool, broker: str | None, no_broker: bool, username: str | None,
    password_file: Path | None, tls: bool, ca: Path | None, cameras: Sequence[tuple[str, str]], track: Sequence[str],
    listen: str | None, no_try: bool, force: bool,
) -> None:  # fmt: skip
    """Write a first configuration: ask for your broker and cameras, try them, and print the next commands.

    Passwords go into secrets.yaml beside FILE. Options answer questions; --no-input asks none. Exit code 1 when the
    broker or a camera cannot be reached; then nothing is written.
    """
    known = open_model(DEFAULT_MODEL).spec.labels
    given = GivenAnswers(
        mqtt=given_broker(broker, username, password_file, none=no_broker, encrypted=tls, ca=ca),
        cameras=given_cameras(cameras),
        track=given_labels(track, known),
        listen=listen,
    )
    asks = not no_input and sys.stdin.isatty() and sys.stdout.isatty()
    pictures: dict[Path, Pixels] = {}
    try:
        if asks:
            file = ask_file(file, replaces=force)
        require_writable(file, replaces=force)
        existing = secrets_beside(file)
        device = this_device()
        if asks:
            interview = Interview(file, tries=not no_try)
            configuration = interview.ask_configuration(given, device.address, known)
            pictures = interview.pictures
        else:
            configuration = _without_questions(given, tries=not no_try, hint="" if no_input else NO_TERMINAL)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nNothing was written.", err=True)
        raise
    require_writable(file, replaces=force)  # again: the file may have appeared during the questions
    written = write_documents(file, write_texts(configuration, file.name, existing, local_schema_path()))
    written += _write_pictures(pictures)
    click.echo(f"\nWritten: {', '.join(str(path.absolute()) for path in written)}")
    print("", *next_steps(configuration, file.absolute(), device), sep="\n")
    if not no_try:  # a normal exit would wait for a camera whose driver hangs
        sys.stdout.flush()
        exit_now(0)


def _without_questions(given: GivenAnswers, *, tries: bool, hint: str) -> Configuration:
    """Return the configuration that the options give; with `tries`, try its connections, and exit if one fails.

    Raises ConfigurationError for missing or invalid options; `hint` is added to its message.
    """
    try:
        configuration = given.build_configuration()
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; {hint}" if hint else str(error)) from None
    trials = try_connections(configuration) if tries else []
    for trial in trials:
        click.echo(trial)
    if any(trial.ok is False for trial in trials):
        click.echo("Error: nothing was written; correct what failed, or add --no-try to write it anyway", err=True)
        sys.stdout.flush()
        exit_now(DeepThingsError.exit_code)
    return configuration


def _write_pictures(pictures: Mapping[Path, Pixels]) -> list[Path]:
    """Write pictures with a grid of tenths. Return the paths of those that were written; failures are only warnings."""
    written = []
    for path, picture in pictures.items():
        try:
            write_picture(path, draw_shot(picture, ()))
            written.append(path)
        except SourceError as error:
            click.echo(f"Warning: {error}", err=True)
    return written
