"""`deepthings edge`: run one device."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.node import EdgeNode
from edge.options import FRAMES_BESIDES_WORK, EdgeConfig, default_cache
from edge.status.gateway_watch import GatewayWatch
from shared.cli.cluster_options import gateway_option, prefix_option
from shared.cli.common_options import (
    NAME_TYPE,
    listen_option,
    max_cores_option,
    threads_option,
    verbose_option,
    warn_of_open_port,
)
from shared.logs.setup import configure_logging
from shared.mqtt import topics
from shared.mqtt.client_ids import edge_client_id
from shared.mqtt.name_claim import NameOwner, OwnedName, wait_for_name
from shared.network.addresses import Address
from shared.process.children import exit_with_parent
from shared.process.lifecycle import run_service, run_together
from shared.process.malloc import share_malloc_arena
from shared.process.usable_cores import computing_cores
from shared.systemd import notification

if TYPE_CHECKING:
    import asyncio


def default_edge_name() -> str:
    """Return the host's name, with all characters that are invalid in a topic replaced."""
    return re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().split(".")[0].lower()).strip("-_")[:63] or "edge"


@click.command()
@gateway_option
@click.option(
    "--name", type=NAME_TYPE, default=default_edge_name, show_default="the host's name", help="Unique in the cluster."
)
@listen_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port for tiles and cameras; 0: any free one.")
@click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), default=default_cache,
    show_default="~/.cache/deepthings", help="Folder for programs from the gateway.",
)  # fmt: skip
@click.option(
    "--frames-in-flight",
    type=click.IntRange(1, 16),
    help=f"Frames of one camera at once.  [default: those that are computed side by side and {FRAMES_BESIDES_WORK}]",
)
@click.option("--cameras/--no-cameras", default=True, help="Serve cameras, or only compute for other edges.")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), default=0, help="Port of metrics for Prometheus; 0: none."
)
@click.option("--parent", type=int, hidden=True, help="End when the process with this ID is gone.")
@prefix_option
@threads_option
@max_cores_option
@verbose_option
def command(
    broker: Address, name: str, host: str, port: int, cache: Path, frames_in_flight: int | None, cameras: bool,
    metrics_port: int, parent: int | None, topic_prefix: str, threads: int | None, max_cores: int | None, verbose: int,
) -> None:  # fmt: skip
    """Run an edge. It needs no model and no configuration: the gateway sends what to compute."""
    configure_logging(verbose)
    share_malloc_arena()
    if parent is None:
        warn_of_open_port(host)
    else:
        exit_with_parent(parent, f"edge {name}: the process that started this one is gone; it ends")
    config = EdgeConfig(
        name=name, broker=broker, listen=Address(host, port), cache=cache, frames_in_flight=frames_in_flight,
        cameras=cameras, topic_prefix=topic_prefix, computing=computing_cores(threads, max_cores),
        metrics_port=metrics_port,
    )  # fmt: skip
    run_service(lambda stop: run_edge(config, stop))


async def run_edge(config: EdgeConfig, stop: asyncio.Event) -> None:
    """Claim the edge's name, then run until `stop`. A second edge of that name opens no port and no camera.

    Raises DeepThingsError when the edge cannot go on.
    """
    owner = NameOwner(config.broker, edge_name(config), config.topic_prefix)
    watch = GatewayWatch(config.broker, lambda: owner.connected)

    async def live() -> None:
        async with notification.current_manager.report_waiting(f"broker {config.broker}"):
            ours = await wait_for_name(owner, stop)
        if ours:
            await EdgeNode(config, owner, watch).run(stop)

    try:
        await run_together(live(), watch.run())
    finally:
        await owner.release()


def edge_name(config: EdgeConfig) -> OwnedName:
    """Return the name that an edge claims."""
    return OwnedName(
        client_id=edge_client_id(config.name, config.topic_prefix),
        claims=topics.NODE_CLAIM,
        states=topics.NODE_STATE,
        name=config.name,
        taken=f"another edge is called {config.name!r}",
        cure=f"give one of them a name of its own, for example --name {config.name[:60]}-2",
    )
