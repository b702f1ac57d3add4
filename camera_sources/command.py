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
from camera_sources.agent.selection import PictureSelection
from camera_sources.agent.source_reader import SourceReader
from camera_sources.camera_settings import TOKEN_VARIABLE, AssignedCamera, CameraSettings, MotionSettings
from camera_sources.frame_rate import DEFAULT_FPS, EVERY_FRAME, parse_frame_limit
from camera_sources.open_source import open_source
from camera_sources.source import LiveSource
from camera_sources.urls.redaction import UrlSecrets
from shared.cli.common_options import ADDRESS_TYPE, NAME_TYPE, ParsedType, keys_option, verbose_option
from shared.cli.without_keys import insecure_option, may_connect
from shared.errors import ConfigurationError
from shared.logs.setup import configure_logging
from shared.network.addresses import own_address
from shared.network.hosts import is_loopback
from shared.process.children import exit_with_parent
from shared.process.lifecycle import run_service
from shared.process.signals import exit_now
from shared.security.camera_permit import read_permit
from shared.security.key_folder import ADDRESS_FILE, default_key_folder, find_identity, read_data_plane
from shared.security.member_list import Role
from shared.security.node_identity import JOIN_AGAIN
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.addresses import Address


@dataclass(frozen=True, slots=True)
class FpsLimit:
    """The maximum of pictures a second; None: all."""

    fps: float | None


def _parse_fps_limit(text: str) -> FpsLimit:
    try:
        return FpsLimit(parse_frame_limit(text))
    except ValueError as error:
        raise ConfigurationError(f"{text[:40]!r}: {error}") from None


FPS_LIMIT = ParsedType(f"N|{EVERY_FRAME}", _parse_fps_limit)

MAX_SETTINGS_BYTES = MAX_PAYLOAD_BYTES[MessageKind.SETTINGS]
"""The largest size of the line with the settings: that of the SETTINGS payload, in which an edge receives them."""


@click.command()
@click.option("--source", metavar="URL", help="rtsp://, http://, mqtt://, test://, /dev/videoN, a file or a folder.")
@click.option("--settings", metavar="-", help="Instead of --source: one line of JSON from standard input (-).")
@click.option("--name", type=NAME_TYPE, required=True, help="The camera's name, as it appears in topics.")
@click.option(
    "--edge", type=ADDRESS_TYPE, required=True, help="The edge to feed; its log and bridge/nodes show the port."
)
@click.option("--loop", is_flag=True, help="Restart a file or folder at its end.")
@click.option(
    "--fps", "limit", type=FPS_LIMIT, metavar=f"N|{EVERY_FRAME}", show_default=f"at most {DEFAULT_FPS:g}",
    help="Maximum of pictures to send a second, or all; also the rate to play a file or folder at.",
)  # fmt: skip
@click.option(
    "--motion-gate/--no-motion-gate", default=None, show_default="motion-gate",
    help="Send pictures only while something moves, and one now and then; or always.",
)  # fmt: skip
@click.option("--frames", type=click.IntRange(0), default=0, help="Stop after this many pictures; 0: never.")
@click.option("--every-frame", is_flag=True, help="Send all pictures, as fast as the cluster takes them.")
@click.option("--parent", type=int, hidden=True, help="End when the process with this ID is gone.")
@keys_option
@insecure_option
@verbose_option
def command(
    source: str | None,
    settings: str | None,
    name: str,
    edge: Address,
    loop: bool,
    limit: FpsLimit | None,
    motion_gate: bool | None,
    frames: int,
    every_frame: bool,
    parent: int | None,
    keys: Path | None,
    insecure: bool,
    verbose: int,
) -> None:
    """Send the newest frame of a camera whenever its edge has time, and count the others.

    By default at most 5 frames a second are sent, and few while nothing moves; --fps all --no-motion-gate sends all.
    Both are options for --source; --settings contains them.

    All users of this machine can see a password in --source: use --settings - instead.
    `deepthings camera shot` writes a picture of a camera instead, for drawing zones.
    """
    configure_logging(verbose)
    cv2.setNumThreads(1)  # OpenCV's worker threads go on spinning after each call, and a picture needs little work
    if parent is not None:
        exit_with_parent(parent, f"camera {name}: the process that started this one is gone; it ends")
    if (source is None) == (settings is None):
        raise click.UsageError("write either --source or --settings -")
    if source is not None:
        reader = _reader_from_options(
            source, loop=loop, limit=limit, motion_gate=motion_gate, frames=frames, every_frame=every_frame
        )
    elif settings == "-":
        reader = _reader_from_settings(frames=frames, every_frame=every_frame)
    else:
        raise click.UsageError("--settings reads standard input only: write --settings -")
    config = _agent_config(name, edge, keys or default_key_folder(), insecure=insecure)
    run_service(lambda stop: CameraAgent(config, reader).run(stop))
    if reader.running:  # its thread is in a call into a driver: a normal exit would wait for it, or crash
        exit_now(0)


def _agent_config(name: str, edge: Address, folder: Path, *, insecure: bool) -> AgentConfig:
    """Return the configuration of the agent, with its proof of identity for the edge.

    That is the token of the edge that has started this agent; for another edge on this machine, the permit file of its
    user; for an edge on another machine, the keys of this camera. Raises ConfigurationError for unusable keys, and
    for an edge on another machine without keys, unless `insecure`.
    """
    given_token = os.environ.get(TOKEN_VARIABLE)
    token = given_token or secrets.token_hex(16)
    on_this_machine = is_loopback(edge.host) or edge.host == own_address(edge)
    if given_token or on_this_machine:
        return AgentConfig(name, edge, token, permit="" if given_token else read_permit(folder))
    identity = None if insecure else find_identity(folder)
    if identity is not None and identity.role is not Role.CAMERA:
        raise ConfigurationError(
            f"a camera cannot use {folder}, which has the keys of {identity.member}: type 'deepthings invite {name} "
            "--role camera' at the gateway, and the command that it prints here, with --keys and a folder of its own"
        )
    may_connect(edge.host, f"camera {name}", keys=identity is not None, insecure=insecure)
    gateway = None if identity is None else read_data_plane(folder)
    if identity is not None and gateway is None:
        raise ConfigurationError(
            f"{folder / ADDRESS_FILE} is missing, which has the address of the gateway: {JOIN_AGAIN}"
        )
    return AgentConfig(name, edge, token, identity, gateway)


def _reader_from_options(
    source: str, *, loop: bool, limit: FpsLimit | None, motion_gate: bool | None, frames: int, every_frame: bool
) -> SourceReader:
    """Build a reader from command-line options.

    For a camera, `limit` is the maximum of pictures a second; for a recording, its playing rate. Without it the
    maximum is DEFAULT_FPS, or with `every_frame` there is none.
    """
    fps = limit.fps if limit else None
    motion = MotionSettings(enabled=not every_frame if motion_gate is None else motion_gate)
    settings = CameraSettings(source=SecretStr(source), fps=fps, motion=motion)
    opened = open_source(settings)
    live = isinstance(opened, LiveSource)
    max_fps = (fps if live else None) if limit else None if every_frame else DEFAULT_FPS
    selection = PictureSelection(settings.model_copy(update={"fps": max_fps}))
    return SourceReader(
        lambda: opened, selection, loop=loop, fps=fps, frames=frames, every_frame=every_frame, persistent=live,
        redact=UrlSecrets(source).redact,
    )  # fmt: skip


def _reader_from_settings(*, frames: int, every_frame: bool) -> SourceReader:
    """Build a reader from settings on standard input; it reports failures, and opens the source again."""
    line = sys.stdin.buffer.readline(MAX_SETTINGS_BYTES + 1)
    if len(line) > MAX_SETTINGS_BYTES:
        raise ConfigurationError(f"settings of a camera: at most {MAX_SETTINGS_BYTES} bytes are read")
    assigned = AssignedCamera.decode(line)
    settings = assigned.settings
    selection = PictureSelection(settings, detect=assigned.detect, fps=assigned.fps)
    return SourceReader(
        lambda: open_source(settings), selection, loop=settings.loop, frames=frames, every_frame=every_frame,
        persistent=True, stale_after_s=settings.stale_after,
        redact=UrlSecrets(settings.source.get_secret_value()).redact,
    )  # fmt: skip
