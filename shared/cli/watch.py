"""`deepthings watch`: follow the detections."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import click

from shared.cli.cluster_login import cluster_login
from shared.cli.cluster_options import gateway_option, prefix_option
from shared.cli.common_options import NAME_TYPE, json_option, verbose_option
from shared.errors import ConfigurationError
from shared.logs.setup import configure_logging
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.client_ids import OWN_NODE, edge_login_name
from shared.mqtt.identity import new_instance
from shared.payloads.cluster import BridgeState, FrameDetections, State
from shared.process.lifecycle import run_service, run_together

if TYPE_CHECKING:
    import asyncio

    from shared.network.addresses import Address

WATCHING_LOGINS = {None, edge_login_name(OWN_NODE)}
"""Logins that may read detections at the gateway's broker: the anonymous one (None), if the broker accepts it, and the
login of the gateway's own node."""


@click.command()
@gateway_option
@click.option("--camera", type=NAME_TYPE, help="Only this camera.")
@click.option("--frames", type=click.IntRange(0), default=0, help="Stop after this many frames; 0: never.")
@prefix_option
@json_option
@verbose_option
def command(broker: Address, camera: str | None, frames: int, topic_prefix: str, as_json: bool, verbose: int) -> None:
    """Print one line for each frame that a running cluster publishes."""
    configure_logging(verbose)
    run_service(lambda stop: _watch(stop, broker, camera, frames, topic_prefix, as_json))


async def _watch(
    stop: asyncio.Event, broker: Address, camera: str | None, frames: int, topic_prefix: str, as_json: bool
) -> None:
    broker, login = cluster_login(broker)
    if login.username not in WATCHING_LOGINS:
        raise ConfigurationError(
            "an edge may not see what the cameras see: run this on the gateway's machine, as the user who runs the "
            "gateway, or subscribe with a login of 'deepthings user add'"
        )
    bus = Bus(broker, f"deepthings-watch-{new_instance()}", prefix=topic_prefix, login=login)
    seen = 0

    def on_detections(_: str, detections: FrameDetections) -> None:
        nonlocal seen
        if stop.is_set():
            return
        click.echo(detections.model_dump_json() if as_json else format_frame(detections))
        seen += 1
        if seen == frames:
            stop.set()

    def on_state(_: str, bridge: BridgeState) -> None:
        if bridge.state is State.OFFLINE:
            click.echo(f"the gateway at {broker} is offline", err=True)

    bus.on(topics.DETECTIONS, on_detections, camera or "+")
    bus.on(topics.BRIDGE_STATE, on_state)
    await run_together(stop.wait(), bus.run())


def format_frame(detections: FrameDetections) -> str:
    """Return one frame as a line for people: time, camera, objects, latency, tiles of each node."""
    counts = Counter(found.label for found in detections.objects)
    objects = ", ".join(f"{count} {label}" for label, count in counts.most_common()) or "nothing"
    nodes = ", ".join(
        f"{node} {tiles.own + tiles.stolen}" + (f" ({tiles.stolen} stolen)" if tiles.stolen else "")
        for node, tiles in detections.nodes.items()
    )
    clock = datetime.fromtimestamp(detections.captured_at).astimezone().strftime("%H:%M:%S")
    return (
        f"{clock} {detections.camera} #{detections.number}: {objects} "
        f"| {detections.latency_ms.total:.0f} ms | tiles: {nodes}"
    )
