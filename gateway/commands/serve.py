"""`deepthings gateway`: run the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.commands.options import cut_option, method_option, model_option, weights_option
from gateway.config import GatewayConfig
from gateway.planner import Terms
from gateway.service import Gateway
from gateway.victims import POLICIES
from shared.cli.options import (
    BROKER,
    DEFAULT_BROKER_PORT,
    GRID,
    listen_option,
    threads_option,
    verbose_option,
    warn_of_open_door,
)
from shared.service import configure_logging, run_service

if TYPE_CHECKING:
    from gateway.methods import Method
    from gateway.planner import Pixels
    from shared.addresses import Address
    from shared.ftp.grid import Grid


@click.command()
@model_option
@weights_option
@method_option
@click.option("--grid", type=GRID, help="Rows x columns of tiles.  [default: 3x3; with bodp a row for each edge]")
@cut_option
@click.option(
    "--policy", type=click.Choice(list(POLICIES)), default="round-robin", help="Whom the next thief takes from."
)
@listen_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_BROKER_PORT,
    help="Port of the gateway's own broker.",
)
@click.option("--data-port", type=click.IntRange(0, 65535), default=0, help="Port for results; 0: any free one.")
@click.option("--broker", type=BROKER, help="Use this broker instead of starting one.")
@click.option(
    "--lease",
    type=click.FloatRange(0.1, 60),
    default=1.0,
    help="Seconds a stolen tile may stay away, at least.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0.5, 600),
    default=10.0,
    help="Seconds after which a frame is dropped.",
)
@click.option(
    "--pixels",
    type=click.Choice(["uint8", "float32"]),
    default="uint8",
    help="What a tile's pixels are on the wire; float32, four times the bytes, is the paper's.",
)
@click.option(
    "--verify-every",
    type=click.IntRange(0),
    default=0,
    help="Compare every Nth frame with the whole network.",
)
@click.option("--pictures", type=click.Path(file_okay=False, path_type=Path), help="Write annotated pictures here.")
@threads_option
@verbose_option
def command(
    model: str, weights: Path | None, method: Method, grid: Grid | None, cut: str | None, policy: str, host: str,
    port: int, data_port: int, broker: Address | None, lease: float, deadline: float, pixels: Pixels,
    verify_every: int, pictures: Path | None, threads: int, verbose: int,
) -> None:  # fmt: skip
    """Run the gateway: it has the model, matches idle edges with busy ones, merges their tiles, publishes."""
    configure_logging(verbose)
    warn_of_open_door(host)
    config = GatewayConfig(
        model=model, weights=weights, method=method, grid=grid, cut=cut, policy=policy, host=host, port=port,
        data_port=data_port, broker=broker, threads=threads,
        terms=Terms(lease_s=lease, deadline_s=deadline, pixels=pixels), verify_every=verify_every, pictures=pictures,
    )  # fmt: skip
    run_service(lambda stop: Gateway(config).run(stop))
