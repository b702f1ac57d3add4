"""Options that name a cluster, and the option type of a grid.

They are not in shared.cli.common_options, because a camera agent must load neither topics nor plans.
"""

from __future__ import annotations

import click

from shared.cli.common_options import GATEWAY_TYPE, ParsedType
from shared.ftp.grid import Grid
from shared.mqtt.topic_kinds import DEFAULT_PREFIX
from shared.network.addresses import LOOPBACK, Address
from shared.network.ports import CLUSTER_PORT
from shared.security.key_folder import default_key_folder, read_gateway

GRID_TYPE = ParsedType("RxC", Grid.parse)

LOCAL_GATEWAY = Address(LOOPBACK, CLUSTER_PORT)


def _joined_gateway() -> Address:
    return read_gateway(default_key_folder()) or LOCAL_GATEWAY


gateway_option = click.option(
    "--gateway", "broker", type=GATEWAY_TYPE, default=_joined_gateway,
    show_default=f"the one that this device has joined, else {LOCAL_GATEWAY}",
    help="The address of the gateway's own broker.",
)  # fmt: skip
prefix_option = click.option(
    "--topic-prefix",
    default=DEFAULT_PREFIX,
    metavar="PREFIX",
    help="The first levels of all topics, as on the gateway.",
)
