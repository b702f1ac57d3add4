"""`deepthings trace`: show on which parts of their way the last frames spent their time."""

from __future__ import annotations

import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.cli.cluster_login import cluster_identity
from shared.cli.cluster_options import gateway_option, prefix_option
from shared.cli.common_options import json_option, verbose_option
from shared.cli.status import require_gateway
from shared.errors import ConfigurationError, ProtocolError
from shared.files.whole_file import write_whole
from shared.logs.setup import configure_logging
from shared.mqtt.broker_login import ANONYMOUS
from shared.mqtt.member_login import member_login
from shared.network.addresses import Address
from shared.process.lifecycle import run_service, run_together
from shared.reasons.system_reasons import system_reason
from shared.security.data_security import DataSecurity
from shared.status.status_client import watch_cluster
from shared.tracing.clocks import ClockOffset
from shared.tracing.cluster_trace import ReceivedRecording, join_recordings
from shared.tracing.spans import KEPT_S
from shared.tracing.trace_events import trace_events
from shared.tracing.trace_summary import summarise_trace
from shared.tracing.trace_text import trace_lines
from shared.wire.trace_exchange import request_cluster

if TYPE_CHECKING:
    from shared.tracing.cluster_trace import ClusterTrace

TRACE_FILE = "deepthings-trace.json"
"""Written into the current folder unless --out names another file."""


@click.command()
@gateway_option
@click.option(
    "--seconds", type=click.FloatRange(0.1, KEPT_S), default=10.0, help="Trace the frames of this many last seconds."
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=TRACE_FILE, help="The file for the trace."
)  # fmt: skip
@prefix_option
@json_option
@verbose_option
def command(broker: Address, seconds: float, out: Path, topic_prefix: str, as_json: bool, verbose: int) -> None:
    """Write a trace of the last frames, and print where their time has gone.

    Open the file at https://ui.perfetto.dev or in chrome://tracing; both show it without sending it anywhere. It has
    times and names of cameras, frames and edges, and no pictures.
    """
    configure_logging(verbose)
    run_service(
        lambda stop: run_together(stop.wait(), _write_trace(broker, topic_prefix, seconds, out, as_json=as_json))
    )


async def _write_trace(broker: Address, prefix: str, seconds: float, out: Path, *, as_json: bool) -> None:
    """Write the file and print the summary. Raises DeepThingsError if there is no gateway, or it has no trace."""
    trace = await _fetch_trace(broker, prefix, seconds)
    try:
        write_whole(out, json.dumps(trace_events(trace), separators=(",", ":")).encode(), durable=False, mode=None)
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {system_reason(error)}; name another --out") from error
    summary = summarise_trace(trace)
    if as_json:
        click.echo(summary.model_dump_json())
        return
    for line in trace_lines(summary):
        click.echo(line)
    click.echo(f"\nwritten: {out}; open it at https://ui.perfetto.dev or in chrome://tracing")


async def _fetch_trace(broker: Address, prefix: str, seconds: float) -> ClusterTrace:
    """Return the trace of the cluster. Raises BrokerError, PeerLostError, PeerTimeoutError or ProtocolError."""
    broker, identity = cluster_identity(broker)
    login = ANONYMOUS if identity is None else member_login(identity)
    async with aclosing(watch_cluster(broker, prefix, period_s=1.0, login=login)) as reports:
        facts = await anext(reports)
    require_gateway(facts, broker)
    if facts.info is None or not facts.info.data_port:
        raise ProtocolError(
            f"the gateway at {broker} has an older release that records no trace: install this release there, too"
        )
    address = Address(facts.info.cluster_host, facts.info.data_port).seen_from(broker)
    header, payload = await request_cluster(
        address, seconds, None if identity is None else DataSecurity(identity, by_certificate=True)
    )
    received, begin = [], 0
    for ref in header.recordings:
        data = payload[begin : begin + ref.bytes].data
        begin += ref.bytes
        received.append(ReceivedRecording(ref.node, data, ClockOffset(ref.offset_s, ref.round_trip_s), ref.missing))
    return join_recordings(received)
