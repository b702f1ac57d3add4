"""The report as plain text for people, without a library for terminals, which edges do not install. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from shared.logs.printable import printable
from shared.payloads.cluster import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.status.status_report import CameraStatus, EdgeStatus, GatewayStatus, Status

UNKNOWN = "-"

GAP = "  "

DIFFERS = " (differs)"

MAX_REMARK_LENGTH = 40
"""Characters of a remark in the table; the complete text is among the problems."""


def status_lines(status: Status, width: int) -> Iterator[str]:
    """Yield the lines of the report; sentences are wrapped at `width` characters, tables are not."""
    yield from _gateway(status.gateway, width)
    yield ""
    yield from _edges(status)
    yield ""
    yield from _cameras(status)
    yield ""
    if not status.problems:
        yield "no problems"
        return
    yield "problems"
    for problem in status.problems:
        yield from _sentence(problem.what, "- ", width)
        if problem.cure:
            yield from _sentence(problem.cure, "  -> ", width)


def _gateway(gateway: GatewayStatus, width: int) -> Iterator[str]:
    method = " ".join(filter(None, (gateway.method, gateway.grid)))
    model = ", ".join(filter(None, (gateway.model, method)))
    since = f" for {format_duration(gateway.up_s)}" if gateway.up_s is not None else ""
    yield f"gateway  online{since}, release {printable(gateway.release or 'unknown')}, on {printable(gateway.device)}"
    if model:
        yield f"model    {printable(model)}"
    if gateway.frames_per_s is not None:
        yield (
            f"frames   {gateway.frames_per_s:.1f} a second over the last minute; since it started "
            f"{gateway.published} published, {gateway.dropped} dropped"
        )
    if gateway.frame_time_in_words:
        yield from _sentence(gateway.frame_time_in_words, "time     ", width)
    if gateway.gain_in_words:
        yield from _sentence(gateway.gain_in_words, "speed    ", width)


def _edges(status: Status) -> Iterator[str]:
    if not status.edges:
        yield "no edges"
        return
    heads = ("edge", "state", "release", "address", "threads", "cores busy", "memory", "tiles/s", "own", "stolen", "°C")
    yield from table_lines(heads, [_edge(name, edge) for name, edge in status.edges.items()], "llllrrrrrrr")
    if status.edges_left_out:
        yield f"and {status.edges_left_out} more edges"


def _edge(name: str, edge: EdgeStatus) -> tuple[str, ...]:
    release = (edge.release or "unknown") + ("" if edge.same_release else DIFFERS)
    if edge.state is not State.ONLINE:
        return (name, edge.state, release, edge.address or UNKNOWN, *[UNKNOWN] * 7)
    busy = f"{edge.cores_busy:.1f} of {edge.cores}" if edge.cores_busy is not None else UNKNOWN
    if edge.usable_cores is not None and edge.cores is not None and edge.usable_cores < edge.cores:
        busy += f" ({edge.usable_cores:.2g} usable)"
    lanes = edge.lanes or 1
    threads = f"{lanes}x{edge.threads // lanes}" if edge.threads else UNKNOWN
    memory = f"{edge.memory_bytes / 2**20:.0f} MiB" if edge.memory_bytes else UNKNOWN
    return (
        name, edge.state, release, edge.address or UNKNOWN, threads, busy, memory, f"{edge.tiles_per_s:.1f}",
        str(edge.tiles.own), str(edge.tiles.stolen), _number(edge.temperature),
    )  # fmt: skip


def _cameras(status: Status) -> Iterator[str]:
    if not status.cameras:
        yield "no cameras"
        return
    heads = ("camera", "edge", "state", "frames/s", "of", "picture", "published", "dropped", "remark")
    yield from table_lines(heads, [_camera(name, camera) for name, camera in status.cameras.items()], "lllrrlrrl")


def _camera(name: str, camera: CameraStatus) -> tuple[str, ...]:
    """Return the row of a camera; its column `of` is the pictures a second that the camera delivers."""
    picture = f"{camera.width}x{camera.height}" if camera.width and camera.height else UNKNOWN
    reason = textwrap.shorten(camera.reason, MAX_REMARK_LENGTH, placeholder=" ...")
    remark = "; ".join(word for word in (reason, "" if camera.configured else "started by hand") if word)
    return (
        name, camera.edge or UNKNOWN, camera.state, _number(camera.frames_per_s), _number(camera.source_fps), picture,
        str(camera.published), str(camera.dropped), remark,
    )  # fmt: skip


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> Iterator[str]:
    """Yield the header and the rows in columns; `sides` has an l or an r for each column, its alignment."""
    shown = [tuple(heads), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = zip(row, widths, sides, strict=True)
        yield GAP.join(cell.rjust(width) if side == "r" else cell.ljust(width) for cell, width, side in cells).rstrip()


def format_duration(seconds: float) -> str:
    """Return a duration for people, in its two largest units: "2 d 3 h", "40 min"."""
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _sentence(text: str, before: str, width: int) -> list[str]:
    printed = "".join(letter if letter.isprintable() else "?" for letter in text)
    return textwrap.wrap(
        printed, width, initial_indent=before, subsequent_indent=" " * len(before), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
