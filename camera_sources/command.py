"""`deepthings camera`: feed one camera's frames to an edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from camera_sources.agent import AgentConfig, CameraAgent
from camera_sources.opening import open_source
from camera_sources.reader import Reader
from shared.cli.options import ADDRESS, NAME, verbose_option
from shared.service import configure_logging, run_service

if TYPE_CHECKING:
    from shared.addresses import Address


@click.command()
@click.option("--source", required=True, metavar="PATH", help="A video file or a folder of pictures.")
@click.option("--name", type=NAME, required=True, help="The camera's name, as it appears in topics.")
@click.option("--edge", type=ADDRESS, required=True, help="The edge to feed; its log and bridge/nodes tell the port.")
@click.option("--loop", is_flag=True, help="Begin again at the end.")
@click.option("--fps", type=click.FloatRange(0.01, 240), help="Pictures a second, instead of the source's own rate.")
@click.option("--frames", type=click.IntRange(0), default=0, help="Stop after so many; 0: never.")
@click.option("--every-frame", is_flag=True, help="Wait for the cluster instead of the clock: no frame is superseded.")
@verbose_option
def command(
    source: str,
    name: str,
    edge: Address,
    loop: bool,
    fps: float | None,
    frames: int,
    every_frame: bool,
    verbose: int,
) -> None:
    """Play a source in real time. The newest frame wins; every frame that nobody had time for is counted."""
    configure_logging(verbose)
    reader = Reader(open_source(source), loop=loop, fps=fps, frames=frames, every_frame=every_frame)
    run_service(lambda stop: CameraAgent(AgentConfig(name, edge), reader).run(stop))
