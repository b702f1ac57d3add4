"""`deepthings edge`: run one device."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.node import EdgeNode
from edge.options import FRAMES_BESIDES_WORK, MAX_CAMERA_FRAMES, EdgeConfig
from edge.status.gateway_finder import GatewayFinder
from edge.status.gateway_watch import GatewayWatch
from shared.cli.cluster_options import LOCAL_GATEWAY, prefix_option
from shared.cli.common_options import (
    GATEWAY_TYPE,
    NAME_TYPE,
    keys_option,
    listen_option,
    max_cores_option,
    threads_option,
    verbose_option,
)
from shared.cli.without_keys import insecure_option, may_listen, may_take_part
from shared.errors import ConfigurationError
from shared.files.program_folder import default_cache
from shared.logs.setup import configure_logging
from shared.mqtt import topics
from shared.mqtt.client_ids import edge_client_id, unguessable
from shared.mqtt.member_login import encrypted_broker
from shared.mqtt.name_claim import NameOwner, OwnedName, wait_for_name
from shared.network.addresses import Address
from shared.network.host_name import default_edge_name
from shared.network.hosts import is_loopback
from shared.process.children import exit_with_parent
from shared.process.lifecycle import run_service, run_together
from shared.process.malloc import share_malloc_arena
from shared.process.usable_cores import computing_cores
from shared.security.key_folder import default_key_folder, find_identity, read_gateway, store_gateway
from shared.security.member_list import Role, describe
from shared.systemd import notification

if TYPE_CHECKING:
    from shared.security.node_identity import NodeIdentity


@click.command()
@click.option(
    "--gateway",
    "broker",
    type=GATEWAY_TYPE,
    show_default=f"the one that this device has joined, else {LOCAL_GATEWAY}",
    help="The address of the gateway's own broker. A device that has joined keeps it.",
)
@click.option(
    "--name",
    type=NAME_TYPE,
    show_default="the one that it joined with, else the host's name",
    help="Unique in the cluster.",
)
@keys_option
@listen_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port for tiles and cameras; 0: any free one.")
@click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), default=default_cache,
    show_default="~/.cache/deepthings", help="Folder for programs from the gateway.",
)  # fmt: skip
@click.option(
    "--frames-in-flight",
    type=click.IntRange(1, MAX_CAMERA_FRAMES),
    help=f"Frames of one camera at once.  [default: those in work on all devices and as many behind them, and "
    f"{FRAMES_BESIDES_WORK}; at most {MAX_CAMERA_FRAMES}]",
)
@click.option("--cameras/--no-cameras", default=True, help="Serve cameras, or only compute for other edges.")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), default=0, help="Port of metrics for Prometheus; 0: none."
)
@click.option("--parent", type=int, hidden=True, help="End when the process with this ID is gone.")
@prefix_option
@threads_option
@max_cores_option
@click.option(
    "--max-memory", type=click.IntRange(1), metavar="MIB",
    help="Memory for plans at most, in MiB; plans that need more are computed by others.  [default: what is free]",
)  # fmt: skip
@insecure_option
@verbose_option
def command(
    broker: Address | None, name: str | None, keys: Path | None, host: str, port: int, cache: Path,
    frames_in_flight: int | None, cameras: bool, parent: int | None, topic_prefix: str, threads: int | None,
    max_cores: int | None, max_memory: int | None, metrics_port: int, insecure: bool, verbose: int,
) -> None:  # fmt: skip
    """Run an edge. It needs no model and no configuration: the gateway sends what to compute."""
    configure_logging(verbose)
    share_malloc_arena()
    folder = keys or default_key_folder()
    identity = None if insecure else find_identity(folder)
    name, broker = own_name(identity, name), own_gateway(identity, broker)
    has_keys, told = identity is not None, insecure
    insecure = may_listen(host, f"edge {name}", keys=has_keys, insecure=told)
    insecure = insecure or may_take_part(broker, f"edge {name}", keys=has_keys, insecure=told)
    if parent is not None:
        exit_with_parent(parent, f"edge {name}: the process that started this one is gone; it ends")
    config = EdgeConfig(
        name=name, broker=broker, listen=Address(host, port), cache=cache, frames_in_flight=frames_in_flight,
        cameras=cameras, topic_prefix=topic_prefix, computing=computing_cores(threads, max_cores), identity=identity,
        insecure=insecure, metrics_port=metrics_port,
        max_memory_bytes=None if max_memory is None else max_memory * 2**20,
    )  # fmt: skip
    run_service(lambda stop: run_edge(config, stop))


def own_name(identity: NodeIdentity | None, name: str | None) -> str:
    """Return the name of this edge: the one that it joined with. Raises ConfigurationError for another one."""
    if identity is None:
        return name or default_edge_name()
    if identity.role is not Role.EDGE:
        raise ConfigurationError(
            f"this device joined as {describe(identity.role, identity.name)}, not as an edge: run 'deepthings invite' "
            f"at the gateway, and 'deepthings join' here; its keys are in {identity.folder}"
        )
    if name not in {None, identity.name}:
        raise ConfigurationError(
            f"--name {name}: this edge joined the cluster as {identity.name!r}; leave --name out, or run 'deepthings "
            f"invite {name}' at the gateway, and the command that it prints here"
        )
    return identity.name


def own_gateway(identity: NodeIdentity | None, given: Address | None) -> Address:
    """Return the gateway of this edge: the given one, which is kept for later starts, or the one that it joined."""
    if identity is None:
        return given or LOCAL_GATEWAY
    given = None if given is None else encrypted_broker(given)
    stored = read_gateway(identity.folder)
    if given is not None and given != stored:
        store_gateway(identity.folder, given)
    return given or stored or encrypted_broker(LOCAL_GATEWAY)


async def run_edge(config: EdgeConfig, stop: asyncio.Event) -> None:
    """Run until `stop`, at each address that the gateway of an edge with keys gets.

    Raises DeepThingsError when the edge cannot go on.
    """
    while True:
        moved = await _run_at_gateway(config, stop)
        if moved is None:
            return
        config = moved


async def _run_at_gateway(config: EdgeConfig, stop: asyncio.Event) -> EdgeConfig | None:
    """Claim the edge's name, then run until `stop`. A second edge of that name opens no port and no camera.

    Return how to go on when the gateway is found at another address; None after `stop`.
    """
    owner = NameOwner(config.broker, edge_name(config), config.topic_prefix, login=config.login)
    watch = GatewayWatch(config.broker, lambda: owner.connected)
    ended = asyncio.Event()
    moved: EdgeConfig | None = None

    async def live() -> None:
        nonlocal config
        async with notification.current_manager.report_waiting(f"broker {config.broker}"):
            ours = await wait_for_name(owner, ended)
        if ours:
            node = EdgeNode(config, owner, watch)
            config = replace(config, listen=config.listen._replace(port=node.port))  # cameras know that one
            await node.run(ended)

    async def follow_stop() -> None:
        await stop.wait()
        ended.set()
        await _cancelled()

    async def follow_gateway() -> None:
        nonlocal moved
        if config.identity is not None and not is_loopback(config.broker.host):
            found = await GatewayFinder(config.identity, config.broker, lambda: watch.silent_s).find()
            moved = replace(config, broker=found)
            ended.set()
        await _cancelled()

    try:
        await run_together(live(), watch.run(), follow_stop(), follow_gateway())
    finally:
        await owner.release()
    return None if stop.is_set() else moved


async def _cancelled() -> None:
    await asyncio.Event().wait()


def edge_name(config: EdgeConfig) -> OwnedName:
    """Return the name that an edge claims."""
    return OwnedName(
        client_id=unguessable(edge_client_id(config.name, config.topic_prefix), config.login),
        claims=topics.NODE_CLAIM,
        states=topics.NODE_STATE,
        name=config.name,
        taken=f"another edge is called {config.name!r}",
        cure=f"give one of them a name of its own, for example --name {config.name[:60]}-2",
    )
