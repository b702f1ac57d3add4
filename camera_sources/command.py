"""`deepthings camera`: feed one camera's frames to an edge."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from camera_sources.agent import AgentConfig, CameraAgent
from camera_sources.opening import open_source
from camera_sources.reader import Reader
from camera_sources.redaction import Secrets
from camera_sources.selection import Selection
from camera_sources.settings import TOKEN_VARIABLE, AssignedCamera, CameraSettings
from camera_sources.source import LiveSource
from shared.cli.options import ADDRESS, NAME, verbose_option
from shared.errors import ConfigurationError
from shared.logs import configure_logging
from shared.processes import end_with_parent
from shared.service import run_service
from shared.signals import end_at_once
from shared.wire.codec import PAYLOAD_CAP_BYTES, Kind

if TYPE_CHECKING:
    from shared.addresses import Address

SETTINGS_CAP_BYTES = PAYLOAD_CAP_BYTES[Kind.SETTINGS]
"""Of the line with the settings, which an edge has got as such a payload."""


@click.command()
@click.option("--source", metavar="URL", help="rtsp://, http://, mqtt://, test://, /dev/videoN, a file or a folder.")
@click.option("--settings", metavar="-", help="In the place of --source: one line of JSON from standard input (-).")
@click.option("--name", type=NAME, required=True, help="The camera's name, as it appears in topics.")
@click.option("--edge", type=ADDRESS, required=True, help="The edge to feed; its log and bridge/nodes tell the port.")
@click.option("--loop", is_flag=True, help="Begin a file or folder again at the end.")
@click.option("--fps", type=click.FloatRange(0.01, 240), help="Pictures a second, instead of the source's own rate.")
@click.option("--frames", type=click.IntRange(0), default=0, help="Stop after so many; 0: never.")
@click.option("--every-frame", is_flag=True, help="Wait for the cluster instead of the clock: no frame is superseded.")
@click.option("--parent", type=int, hidden=True, help="End when the process with this number is gone.")
@verbose_option
def command(
    source: str | None,
    settings: str | None,
    name: str,
    edge: Address,
    loop: bool,
    fps: float | None,
    frames: int,
    every_frame: bool,
    parent: int | None,
    verbose: int,
) -> None:
    """Send the newest frame of a camera whenever its edge has time; the others are counted.

    A password in --source is seen by all who see the processes of this machine: --settings - is for those.
    `deepthings camera shot` writes a picture of a camera instead, to write zones from.
    """
    configure_logging(verbose)
    if parent is not None:
        end_with_parent(parent, f"camera {name}: whoever started this process is gone; it ends")
    if (source is None) == (settings is None):
        raise click.UsageError("write either --source or --settings -")
    if source is not None:
        reader = _reader_of(source, loop=loop, fps=fps, frames=frames, every_frame=every_frame)
    elif settings == "-":
        reader = _reader_as_told(frames=frames, every_frame=every_frame)
    else:
        raise click.UsageError("--settings reads standard input only: write --settings -")
    config = AgentConfig(name, edge, os.environ.get(TOKEN_VARIABLE) or secrets.token_hex(16))
    run_service(lambda stop: CameraAgent(config, reader).run(stop))
    if reader.running:  # in a driver: the interpreter must not be taken down around it
        end_at_once(0)


def _reader_of(source: str, *, loop: bool, fps: float | None, frames: int, every_frame: bool) -> Reader:
    """By options: a recording is played at `fps`, a camera gives so many at the most."""
    opened = open_source(source)
    live = isinstance(opened, LiveSource)
    selection = Selection(CameraSettings(source=SecretStr(source), fps=fps if live else None))
    return Reader(
        lambda: opened, selection, loop=loop, fps=fps, frames=frames, every_frame=every_frame, persistent=live,
        hide=Secrets(source).hide,
    )  # fmt: skip


def _reader_as_told(*, frames: int, every_frame: bool) -> Reader:
    """By settings on standard input: whatever fails is reported, and tried again."""
    line = sys.stdin.buffer.readline(SETTINGS_CAP_BYTES + 1)
    if len(line) > SETTINGS_CAP_BYTES:
        raise ConfigurationError(f"settings of a camera: at most {SETTINGS_CAP_BYTES} bytes are read")
    told = AssignedCamera.decode(line)
    settings = told.settings
    return Reader(
        lambda: open_source(settings), Selection(settings, detect=told.detect, fps=told.fps), loop=settings.loop,
        frames=frames, every_frame=every_frame, persistent=True, stale_after_s=settings.stale_after,
        hide=Secrets(settings.source.get_secret_value()).hide,
    )  # fmt: skip
