"""`deepthings check-config`: a summary of a configuration file, or its mistakes."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.configuration.connect_check import try_connections
from gateway.configuration.reading.configuration_file import ParsedConfiguration, parse_configuration
from gateway.configuration.schema import configuration_schema
from gateway.configuration.summary import summarise, summary_lines
from gateway.models.catalogue import open_model
from shared.cli.common_options import json_option
from shared.errors import ConfigurationError, ModelError
from shared.process.signals import exit_now

if TYPE_CHECKING:
    from gateway.configuration.reading.mistakes import LocatedMistake

_INVALID = ConfigurationError.exit_code


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--schema", "wants_schema", is_flag=True, help="Print the JSON Schema of the file, for editors.")
@click.option("--connect", "connects", is_flag=True, help="Try the broker, and one picture of each camera.")
@json_option
def command(file: Path | None, wants_schema: bool, connects: bool, as_json: bool) -> None:
    """Check the configuration FILE; print every mistake with its line, or a summary.

    The model is opened, too, to check labels. Exit code 2 for mistakes; 1 when the broker or a camera cannot be reached
    with --connect.
    """
    if wants_schema:
        print(json.dumps(configuration_schema(), indent=2))
        return
    if file is None:
        raise click.UsageError("name the configuration file, for example deepthings.yaml")
    parsed = with_model(parse_configuration(file))
    trials = try_connections(parsed.configuration) if connects and not parsed.mistakes else []
    if as_json:
        values = summarise(parsed.configuration) if not parsed.mistakes else None
        print(json.dumps({
            "valid": not parsed.mistakes,
            "problems": [_fields(mistake) for mistake in parsed.mistakes],
            "warnings": [_fields(warning) for warning in parsed.warnings],
            "summary": values,
            **({"connections": [asdict(trial) for trial in trials]} if connects else {}),
        }))  # fmt: skip
    else:
        for warning in parsed.warnings:
            click.echo(f"Warning: {warning}", err=True)
        for mistake in parsed.mistakes:
            click.echo(str(mistake), err=True)
        if not parsed.mistakes:
            print("\n".join([*summary_lines(parsed.configuration), *map(str, trials)]))
    sys.stdout.flush()
    if parsed.mistakes:
        sys.exit(_INVALID)
    if connects:  # a normal exit would wait for a camera whose driver hangs
        exit_now(1 if any(trial.ok is False for trial in trials) else 0)


def with_model(parsed: ParsedConfiguration) -> ParsedConfiguration:
    """Return a copy that is checked against its model; a model that cannot be opened or decoded is a mistake."""
    if not parsed.has_valid_model():
        return parsed
    model = parsed.configuration.model
    try:
        opened = open_model(model.path, model.weights)
    except (ConfigurationError, ModelError) as error:
        return parsed.add_mistake(("model", "path"), str(error))
    if opened.unreadable:
        return parsed.add_mistake(("model", "path"), opened.unreadable)
    return parsed.check_labels(opened.spec.labels)


def _fields(mistake: LocatedMistake) -> dict[str, object]:
    return {name: getattr(mistake, name) for name in ("file", "line", "path", "what", "right")}
