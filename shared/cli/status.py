"""`deepthings status`: the status of the cluster."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from shared.cli.cluster_login import cluster_login
from shared.cli.cluster_options import gateway_option, prefix_option
from shared.cli.common_options import json_option, verbose_option
from shared.errors import BrokerError
from shared.logs.setup import configure_logging
from shared.payloads.cluster import State
from shared.process.lifecycle import run_service, run_together
from shared.status.status_client import watch_cluster
from shared.status.status_report import build_status
from shared.status.status_text import status_lines

if TYPE_CHECKING:
    from shared.network.addresses import Address
    from shared.payloads.cluster import BridgeState
    from shared.status.cluster_facts import ClusterFacts

REFRESH_PERIOD_S = 2.0
"""The period of reports with --watch."""

MIN_WIDTH = 60
"""Characters of a line; sentences are not wrapped at fewer."""

CLEAR_TERMINAL = "\x1b[H\x1b[2J\x1b[3J"
"""The escape sequence that clears a terminal."""


@click.command()
@gateway_option
@click.option("--watch", is_flag=True, help="Repeat the report every 2 s, in place, until Ctrl-C.")
@prefix_option
@json_option
@verbose_option
def command(broker: Address, watch: bool, topic_prefix: str, as_json: bool, verbose: int) -> None:
    """Report the status of the cluster: its gateway, edges, cameras, and problems with their cures.

    It works on any device that reaches the gateway's broker. Exit code 1 if there is no gateway.
    """
    configure_logging(verbose)
    if watch:
        run_service(lambda stop: run_together(stop.wait(), _watch(broker, topic_prefix, as_json=as_json)))
    else:
        run_service(lambda stop: run_together(stop.wait(), _print_once(broker, topic_prefix, as_json=as_json)))


async def _print_once(broker: Address, prefix: str, *, as_json: bool) -> None:
    """Print one report. Raises BrokerError if there is no gateway."""
    broker, login = cluster_login(broker)
    async with aclosing(watch_cluster(broker, prefix, REFRESH_PERIOD_S, login)) as reports:
        click.echo(_report(await anext(reports), broker, as_json=as_json))


async def _watch(broker: Address, prefix: str, *, as_json: bool) -> None:
    """Print reports until cancelled, also errors while there is no gateway."""
    broker, login = cluster_login(broker)
    while True:
        try:
            async with aclosing(watch_cluster(broker, prefix, REFRESH_PERIOD_S, login)) as reports:
                async for facts in reports:
                    _show(_report(facts, broker, as_json=as_json), as_json=as_json)
        except BrokerError as error:
            if as_json:
                click.echo(f"Error: {error}", err=True)
            else:
                _show(f"Error: {error}", as_json=False)
            await asyncio.sleep(REFRESH_PERIOD_S)


def _show(text: str, *, as_json: bool) -> None:
    """Print the text; on a terminal, replace the previous one."""
    in_place = not as_json and sys.stdout.isatty()
    click.echo(f"{CLEAR_TERMINAL if in_place else ''}{text}{'' if in_place or as_json else chr(10)}")


def _report(facts: ClusterFacts, broker: Address, *, as_json: bool) -> str:
    """Return the text of the report. Raises BrokerError if there is no gateway."""
    status = build_status(facts, require_gateway(facts, broker), str(broker), time.time())
    if as_json:
        return status.model_dump_json()
    width = max(MIN_WIDTH, shutil.get_terminal_size().columns)
    return "\n".join(status_lines(status, width))


def require_gateway(facts: ClusterFacts, broker: Address) -> BridgeState:
    """Return the state of the gateway. Raises BrokerError if it is offline or there is none."""
    if facts.state is None:
        raise BrokerError(
            f"no gateway found at broker {broker} below '{facts.prefix}/': start it there with 'deepthings gateway'; "
            "if one runs, name its own broker with --gateway HOST, or its --topic-prefix"
        )
    if facts.state.state is not State.ONLINE:
        raise BrokerError(
            f"the gateway at broker {broker} is offline: start it again on {facts.state.identity} with 'deepthings "
            "gateway'; its log has the reason why it ended"
        )
    return facts.state
