"""`deepthings gateway`: run the gateway."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gateway.authority.authority import needs_keys
from gateway.cluster.victims import VICTIM_POLICIES
from gateway.commands.model_options import cut_option, method_option, model_option, weights_option
from gateway.configuration.reading.configuration_file import read_configuration
from gateway.configuration.root import Configuration
from gateway.options import GatewayOptions
from gateway.page.page_door import check_page_address
from gateway.planning.planner import PlanTerms
from gateway.service import Gateway
from shared.cli.cluster_options import GRID_TYPE
from shared.cli.common_options import (
    BROKER_TYPE,
    EXISTING_FILE,
    listen_option,
    max_cores_option,
    threads_option,
    verbose_option,
)
from shared.cli.without_keys import insecure_option, may_listen
from shared.ftp.grid import Grid
from shared.logs.setup import configure_logging
from shared.network.addresses import Address
from shared.network.ports import (
    CLUSTER_PORT,
    CLUSTER_TLS_PORT,
    DATA_PORT,
    JOIN_PORT,
    PAGE_PORT,
    PUBLIC_PORT,
    PUBLIC_TLS_PORT,
)
from shared.process.lifecycle import run_service
from shared.process.malloc import return_large_blocks, share_malloc_arena
from shared.process.usable_cores import computing_cores
from shared.wire.map_values import MAP_TYPES


@click.command()
@model_option
@weights_option
@method_option
@click.option(
    "--grid",
    type=GRID_TYPE,
    help="Rows x columns of tiles.  [default: 3x3; with bodp and staged, a tile for each edge]",
)
@cut_option
@click.option(
    "--policy",
    type=click.Choice(list(VICTIM_POLICIES)),
    default="fewest-frames",
    help="The edge that idle edges steal from.",
)
@listen_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PUBLIC_PORT,
    help="Port of the gateway's own broker for people and automations; not opened with --broker.",
)
@click.option(
    "--cluster-port",
    type=click.IntRange(1, 65535),
    default=CLUSTER_PORT,
    help="Port of the gateway's own broker for edges.",
)
@click.option(
    "--cluster-tls-port", type=click.IntRange(1, 65535), default=CLUSTER_TLS_PORT,
    help="Its encrypted port, for edges that have joined; not opened on loopback.",
)  # fmt: skip
@click.option(
    "--tls-port", type=click.IntRange(1, 65535), default=PUBLIC_TLS_PORT,
    help="Encrypted port for people and automations; not opened on loopback, nor with --broker.",
)  # fmt: skip
@click.option("--data-port", type=click.IntRange(0, 65535), default=DATA_PORT, help="Port for tiles; 0: any free one.")
@click.option(
    "--join-port", type=click.IntRange(1, 65535), default=JOIN_PORT,
    help="Port at which devices join, open while an invitation is.",
)  # fmt: skip
@click.option(
    "--broker", type=BROKER_TYPE, help="Publish at this broker of the house; its login is in the configuration."
)
@click.option(
    "--lease",
    type=click.FloatRange(0.1, 60),
    default=1.0,
    help="Seconds, at least, before another edge computes a stolen tile again.",
)
@click.option(
    "--deadline", type=click.FloatRange(0.5, 600), default=10.0, help="Seconds after which a frame is dropped."
)
@click.option(
    "--pixels",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    help="Type of a tile's pixels on the wire; float32, as in the paper, has four times the bytes.",
)
@click.option(
    "--maps",
    type=click.Choice(MAP_TYPES),
    default="float32",
    help="Type of tiles' results on the wire; float16 has half of the bytes, and is not exact.",
)
@click.option(
    "--verify-every", type=click.IntRange(0), default=0, help="Compare every Nth frame with the whole network."
)
@click.option(
    "--verify-share", type=click.FloatRange(0, 100), default=1.0, metavar="PERCENT",
    help="Compute a frame of the cluster again now and then, in at most this part of the gateway's time; 0: never.",
)  # fmt: skip
@click.option("--pictures", type=click.Path(file_okay=False, path_type=Path), help="Write annotated pictures here.")
@click.option(
    "--compute/--no-compute", default=True,
    help="With method auto, let the gateway's own cores compute frames, unless an edge runs on this machine.",
)  # fmt: skip
@click.option(
    "--page-port", type=click.IntRange(0, 65535), default=PAGE_PORT,
    help="Port of the page for a browser, with its metrics at /metrics; 0: no page.",
)  # fmt: skip
@threads_option
@max_cores_option
@click.option(
    "--config", "file", type=EXISTING_FILE,
    help="The configuration file; given options take precedence. SIGHUP reads it again.",
)  # fmt: skip
@insecure_option
@verbose_option
@click.pass_context
def command(context: click.Context, /, file: Path | None, verbose: int, **options: Any) -> None:  # noqa: ANN401
    """Run the gateway: it has the model, matches idle edges with busy ones, merges tiles, and publishes objects."""
    configure_logging(verbose)
    share_malloc_arena()
    return_large_blocks()
    configuration = read_configuration(file) if file else Configuration()
    if file:
        given = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        options |= {name: value for name, value in options_in(configuration).items() if name not in given}
    asked_insecure = options["insecure"]  # as given; from here on it is whether the gateway listens without keys
    options["insecure"] = may_listen(options["host"], "this gateway", keys=True, insecure=options["insecure"])
    terms = PlanTerms(
        lease_s=options.pop("lease"), deadline_s=options.pop("deadline"), pixels=options.pop("pixels"),
        maps=options.pop("maps"),
    )  # fmt: skip
    reload = partial(read_configuration, file) if file else None
    options["threads"] = computing_cores(options["threads"], options.pop("max_cores")).count
    page_port = options.pop("page_port")
    page = Address(configuration.page.listen, page_port) if page_port else None
    if page is not None:
        has_keys = needs_keys(options["host"]) and not options["insecure"]
        check_page_address(page, keys=has_keys, insecure=asked_insecure)
    gateway_options = GatewayOptions(**options, page=page, terms=terms, configuration=configuration, reload=reload)
    run_service(lambda stop: Gateway(gateway_options).run(stop), reloads=True)


def options_in(configuration: Configuration) -> dict[str, Any]:
    """Return this command's options in a configuration, by name."""
    mqtt, model, cluster = configuration.mqtt, configuration.model, configuration.cluster
    page = configuration.page
    return {
        "model": model.path,
        "weights": model.weights,
        "cut": model.cut,
        "method": cluster.method,
        "grid": Grid.parse(cluster.grid) if cluster.grid else None,
        "policy": cluster.policy,
        "host": cluster.listen,
        "port": mqtt.port,
        "cluster_port": cluster.port,
        "cluster_tls_port": cluster.tls_port,
        "tls_port": mqtt.tls_port,
        "data_port": cluster.data_port,
        "join_port": cluster.join_port,
        "open_cluster": cluster.open,
        "broker": Address(mqtt.host, mqtt.port) if mqtt.host else None,
        "lease": cluster.lease,
        "deadline": cluster.deadline,
        "compute": cluster.compute,
        "threads": cluster.threads,
        "max_cores": cluster.max_cores,
        "page_port": page.port if page.enabled else 0,
    }
