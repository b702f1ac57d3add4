from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from gateway.commands.serve import options_in
from gateway.configuration.root import ClusterSection, Configuration
from shared.cli.common_options import max_cores_option, threads_option
from shared.settings.threads import AUTO_THREADS, MAX_THREADS, parse_threads


@pytest.mark.parametrize(
    ("value", "threads"), [(AUTO_THREADS, None), (None, None), (1, 1), (4, 4), (MAX_THREADS, MAX_THREADS)]
)
def test_threads_are_a_number_or_as_many_as_there_are_cores(value, threads):
    assert parse_threads(value) == threads


@pytest.mark.parametrize("value", [0, -1, MAX_THREADS + 1, 1.5, True, "4", "many", [1]])
def test_anything_else_is_refused_with_what_to_write(value):
    with pytest.raises(ValueError, match="write a number from 1 to 64, or auto"):
        parse_threads(value)


@pytest.mark.parametrize(
    ("section", "threads", "max_cores"),
    [({}, None, None), ({"threads": "auto"}, None, None), ({"threads": 3}, 3, None), ({"max_cores": 2}, None, 2)],
)
def test_the_configuration_gives_what_the_options_give(section, threads, max_cores):
    options = options_in(Configuration(cluster=ClusterSection.model_validate(section)))
    assert (options["threads"], options["max_cores"]) == (threads, max_cores)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "None None"),
        (("--threads", "auto"), "None None"),
        (("--threads", "3", "--max-cores", "2"), "3 2"),
        (("--threads", "0"), "0 is not in the range"),
        (("--threads", "many"), "'many' is not a valid integer"),
        (("--max-cores", "0"), "0 is not in the range"),
    ],
)
def test_the_options_of_a_command(arguments, said):
    @click.command()
    @threads_option
    @max_cores_option
    def command(threads, max_cores):
        click.echo(f"{threads} {max_cores}")

    assert said in CliRunner().invoke(command, arguments).output
