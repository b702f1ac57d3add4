"""`deepthings demo`: a cluster on this machine, with real footage."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.commands.model_options import grid_option, method_option, model_option
from gateway.demo.run import DEMO_CAMERA, DemoConfig, run_demo
from shared.cli.common_options import json_option
from shared.process.free_ports import free_port
from shared.process.lifecycle import run_service

if TYPE_CHECKING:
    import asyncio

    from gateway.planning.methods import Method
    from shared.ftp.grid import Grid


@click.command()
@click.option("--edges", type=click.IntRange(1, 32), default=3, help="Number of edges; the first one owns the camera.")
@grid_option
@method_option
@model_option
@click.option("--frames", type=click.IntRange(0), default=100, help="Frames to capture; 0: until Ctrl-C.")
@click.option(
    "--source", default=str(FOOTAGE), show_default="the bundled clip", help="A video or a folder of pictures."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the broker; 0: any free one.")
@click.option(
    "--page-port", type=click.IntRange(0, 65535), default=0, help="Port of the page for a browser; 0: any free one."
)  # fmt: skip
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"),
    help="Folder for the annotated picture and the logs.",
)  # fmt: skip
@click.option("--headless", is_flag=True, help="No live table.")
@json_option
def command(
    edges: int,
    grid: Grid,
    method: Method,
    model: str,
    frames: int,
    source: str,
    port: int,
    page_port: int,
    out: Path,
    headless: bool,
    as_json: bool,
) -> None:
    """Run a gateway, edges and a camera as real processes on this machine, and watch them share the work."""
    logging.basicConfig(level=logging.ERROR)  # the processes log to files; the terminal is for the table
    open_source(source)
    config = DemoConfig(
        source=source,
        out=out,
        grid=grid,
        method=method,
        edges=edges,
        frames=frames,
        port=port or free_port(),
        page_port=page_port or free_port(),
        model=model,
        headless=headless,
    )
    summaries: list[dict[str, Any]] = []

    async def demo(stop: asyncio.Event) -> None:
        summaries.append(await run_demo(config, stop))

    run_service(demo)
    summary = summaries[0]
    print(json.dumps(summary) if as_json else _sentences(summary, out / f"{DEMO_CAMERA}.png"))


def _sentences(summary: dict[str, Any], picture: Path) -> str:
    dropped = ", ".join(f"{count} {reason}" for reason, count in summary["frames_dropped"].items()) or "none"
    tiles = ", ".join(f"{edge} {tile['own']} own + {tile['stolen']} stolen" for edge, tile in summary["tiles"].items())
    seen = ", ".join(f"{mean} {label}" for label, mean in list(summary["objects"].items())[:5]) or "nothing"
    latency = summary["latency_ms"]
    return (
        f"{summary['frames_published']} of {summary['frames_captured']} frames published, dropped: {dropped}\n"
        f"latency: {latency['p50']:.0f} ms median, {latency['p95']:.0f} ms p95\n"
        f"tiles: {tiles}\n"
        f"seen in a frame on average: {seen}\n"
        f"largest difference from the unpartitioned network: {summary['max_abs_diff']}\n"
        f"annotated picture: {picture}"
    )
