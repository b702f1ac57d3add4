"""Options that name a cluster, and the type of a grid: apart, so that an agent loads neither topics nor plans."""

from __future__ import annotations

import click

from shared.cli.common_options import GATEWAY_TYPE, ParsedType
from shared.ftp.grid import Grid
from shared.mqtt.topics import DEFAULT_PREFIX
from shared.network.addresses import LOOPBACK
from shared.network.ports import CLUSTER_PORT

GRID_TYPE = ParsedType("RxC", Grid.parse)

gateway_option = click.option(
    "--gateway",
    "broker",
    type=GATEWAY_TYPE,
    default=f"{LOOPBACK}:{CLUSTER_PORT}",
    help="The address of the gateway's own broker.",
)
prefix_option = click.option(
    "--topic-prefix",
    default=DEFAULT_PREFIX,
    metavar="PREFIX",
    help="The first levels of all topics, as on the gateway.",
)
