"""`deepthings camera`: feed one camera's frames to an edge."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import cv2
from pydantic import SecretStr

from camera_sources.agent.agent import AgentConfig, CameraAgent
from camera_sources.agent.reader import Reader
from camera_sources.agent.selection import Selection
from camera_sources.camera_settings import TOKEN_VARIABLE, AssignedCamera, CameraSettings, Motion
from camera_sources.frame_rate import EVERY_FRAME, HOME_FPS, frame_limit
from camera_sources.open_source import open_source
from camera_sources.source import LiveSource
from camera_sources.urls.redaction import Secrets
from shared.cli.common_options import ADDRESS, NAME, Parsed, verbose_option
from shared.errors import ConfigurationError
from shared.logs.setup import configure_logging
from shared.process.children import end_with_parent
from shared.process.lifecycle import run_service
from shared.process.signals import end_at_once
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from shared.network.addresses import Address


@dataclass(frozen=True, slots=True)
class Limit:
    """Pictures a second at the most; None: all."""

    fps: float | None


def _parse_limit(text: str) -> Limit:
    try:
        return Limit(frame_limit(text))
    except ValueError as error:
        raise ConfigurationError(f"{text[:40]!r}: {error}") from None


LIMIT = Parsed(f"N|{EVERY_FRAME}", _parse_limit)

SETTINGS_CAP_BYTES = MAX_PAYLOAD_BYTES[MessageKind.SETTINGS]
"""Of the line with the settings, which an edge has got as such a payload."""


@click.command()
@click.option("--source", metavar="URL", help="rtsp://, http://, mqtt://, test://, /dev/videoN, a file or a folder.")
@click.option("--settings", metavar="-", help="In the place of --source: one line of JSON from standard input (-).")
@click.option("--name", type=NAME, required=True, help="The camera's name, as it appears in topics.")
@click.option("--edge", type=ADDRESS, required=True, help="The edge to feed; its log and bridge/nodes tell the port.")
@click.option("--loop", is_flag=True, help="Begin a file or folder again at the end.")
@click.option(
    "--fps", "limit", type=LIMIT, metavar=f"N|{EVERY_FRAME}", show_default=f"at most {HOME_FPS:g}",
    help="Send so many pictures a second at the most, or all; play a file or folder at this rate.",
)  # fmt: skip
@click.option(
    "--motion-gate/--no-motion-gate", default=None, show_default="motion-gate",
    help="Send pictures while something moves, and one now and then; or always.",
)  # fmt: skip
@click.option("--frames", type=click.IntRange(0), default=0, help="Stop after so many; 0: never.")
@click.option("--every-frame", is_flag=True, help="Send all, as fast as the cluster takes them.")
@click.option("--parent", type=int, hidden=True, help="End when the process with this number is gone.")
@verbose_option
def command(
    source: str | None,
    settings: str | None,
    name: str,
    edge: Address,
    loop: bool,
    limit: Limit | None,
    motion_gate: bool | None,
    frames: int,
    every_frame: bool,
    parent: int | None,
    verbose: int,
) -> None:
    """Send the newest frame of a camera whenever its edge has time; the others are counted.

    At most 5 a second are sent, and few while nothing moves; all are with --fps all --no-motion-gate. Both are
    options of --source; --settings says it itself.

    A password in --source is seen by all who see the processes of this machine: --settings - is for those.
    `deepthings camera shot` writes a picture of a camera instead, to write zones from.
    """
    configure_logging(verbose)
    cv2.setNumThreads(1)  # others of OpenCV spin a while behind all that they do, and a picture is little work
    if parent is not None:
        end_with_parent(parent, f"camera {name}: whoever started this process is gone; it ends")
    if (source is None) == (settings is None):
        raise click.UsageError("write either --source or --settings -")
    if source is not None:
        reader = _reader_of(
            source, loop=loop, limit=limit, motion_gate=motion_gate, frames=frames, every_frame=every_frame
        )
    elif settings == "-":
        reader = _reader_as_told(frames=frames, every_frame=every_frame)
    else:
        raise click.UsageError("--settings reads standard input only: write --settings -")
    config = AgentConfig(name, edge, os.environ.get(TOKEN_VARIABLE) or secrets.token_hex(16))
    run_service(lambda stop: CameraAgent(config, reader).run(stop))
    if reader.running:  # in a driver: the interpreter must not be taken down around it
        end_at_once(0)


def _reader_of(
    source: str, *, loop: bool, limit: Limit | None, motion_gate: bool | None, frames: int, every_frame: bool
) -> Reader:
    """By options: a camera gives so many pictures a second at the most, a recording is played at a rate that is said.

    What is not said is as usual, but for `every_frame`: then all are sent.
    """
    said = limit.fps if limit else None
    motion = Motion(enabled=not every_frame if motion_gate is None else motion_gate)
    settings = CameraSettings(source=SecretStr(source), fps=said, motion=motion)
    opened = open_source(settings)
    live = isinstance(opened, LiveSource)
    most = (said if live else None) if limit else None if every_frame else HOME_FPS
    return Reader(
        lambda: opened, Selection(settings.model_copy(update={"fps": most})), loop=loop, fps=said, frames=frames,
        every_frame=every_frame, persistent=live, hide=Secrets(source).hide,
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
