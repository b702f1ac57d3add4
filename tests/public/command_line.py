"""What can be typed, what comes back as JSON, and exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import click

from benchmarks.findings import PaperFinding
from benchmarks.scale.scale_rows import ScaleResult
from gateway.authority.admin_messages import InviteAnswer, NodesAnswer, UserAnswer
from gateway.commands.quantize import _report
from gateway.configuration.connect_check import ConnectionTrial
from gateway.demo.statistics import ClusterStatistics
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from gateway.plan_report.plan_figures import PlanReport
from gateway.quantization.agreement import Agreement
from gateway.quantization.int8 import Quantised
from shared.cli import main
from shared.cli.command_group import cli
from shared.doctor.doctor_findings import Examination
from shared.errors import (
    BrokerError,
    ConfigurationError,
    DeepThingsError,
    ModelError,
    NameTakenError,
    PeerLostError,
    ProtocolError,
    SourceError,
)
from shared.mqtt import topics
from shared.payloads.cluster import CameraStats, FrameDetections, Nodes
from shared.status.status_report import Status
from shared.tracing.trace_summary import TraceSummary
from tests.public.integrations import EXAMPLES, home_example
from tests.public.shapes import schema_of, shape_of
from tests.unit.gateway.buses import StandInBus

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "photos" / "astronaut.jpg"

SAID_OF_OPTIONS = ("required", "multiple", "is_flag", "flag_value", "count", "envvar", "prompt", "hidden")
"""Each is written down where it is not usual."""


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Loading a command prepares this process for being ended; it is a test's."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def commands() -> dict[str, Any]:
    """Describe every command with its options and arguments."""
    with _signals_kept():
        found = dict(_walk("deepthings", cli))
    return {name: _command(command) for name, command in found.items()}


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            assert inner is not None
            yield from _walk(f"{name} {each}", inner)


def _command(command: click.Command) -> dict[str, Any]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {
        "options": {
            min(each.opts, key=lambda name: (not name.startswith("--"), name)): _option(each) for each in options
        },
        "arguments": [_parameter(each) for each in command.params if isinstance(each, click.Argument)],
        "settings": {key: value for key, value in command.context_settings.items() if key != "show_default"},
    }


def _option(option: click.Option) -> dict[str, Any]:
    return {"names": sorted(option.opts), "off": sorted(option.secondary_opts), **_parameter(option)}


def _parameter(parameter: click.Parameter) -> dict[str, Any]:
    info = parameter.to_info_dict()
    kind = {key: value for key, value in info["type"].items() if key != "param_type" and not _usual(value)}
    said = {key: info[key] for key in SAID_OF_OPTIONS if not _usual(info.get(key))}
    said |= {} if parameter.nargs == 1 else {"nargs": parameter.nargs}
    default = parameter.default
    if _usual(default):
        return {"type": kind, **said}
    return {"type": kind, "default": _default(default), **said}


def _usual(value: Any) -> bool:
    """Return whether nothing is said with it; click has a word of its own for what was not given."""
    return value is None or value is False or (isinstance(value, Enum) and not isinstance(value, str))


def _default(value: Any) -> Any:
    """Return a default as it is on every machine."""
    computed = callable(value)
    value = value() if computed else value
    if computed and not isinstance(value, Path):
        return "computed on each machine"
    if not isinstance(value, str | Path):
        return value
    text = str(value).replace(str(ROOT), "<installation>")
    for variable, usual in (("XDG_CACHE_HOME", "~/.cache"), ("XDG_STATE_HOME", "~/.local/state")):
        for folder in (os.environ.get(variable), str(Path(usual).expanduser())):
            text = text.replace(folder, f"${variable}") if folder else text
    return text


def run(*arguments: str, folder: Path) -> tuple[int, str]:
    """Run a command in this process and a folder; return its exit code and standard output."""
    out, errors = io.StringIO(), io.StringIO()
    code: Any = 0
    with (
        _signals_kept(), contextlib.chdir(folder), mock.patch.object(sys, "argv", ["deepthings", *arguments]),
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors),
    ):  # fmt: skip
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    return code, out.getvalue()


def exit_codes(folder: Path) -> dict[str, Any]:
    """Describe how commands end."""
    (folder / "wrong.yaml").write_text("cameras: {street: {sauce: test://}}\n")
    errors = {
        "any": DeepThingsError, "configuration": ConfigurationError, "model": ModelError, "source": SourceError,
        "broker": BrokerError, "name taken": NameTakenError, "protocol": ProtocolError, "peer lost": PeerLostError,
    }  # fmt: skip
    runs = {
        "done": ("--version",),
        "unknown command": ("nonsense",),
        "unknown option": ("plan", "--nonsense"),
        "unknown model": ("plan", "--model", "nonsense"),
        "missing picture": ("detect", "none.jpg"),
        "wrong configuration": ("check-config", "wrong.yaml"),
        "missing configuration": ("check-config", "none.yaml"),
    }
    return {
        "errors": {name: error.exit_code for name, error in errors.items()},
        "runs": {name: run(*arguments, folder=folder)[0] for name, arguments in runs.items()},
    }


def json_output(folder: Path) -> dict[str, Any]:
    """Describe what each command with --json prints, by a model, a run, or from a value."""
    home = home_example(folder / "home")
    (folder / "wrong.yaml").write_text("cameras: {street: {source: test://, sauce: 1}}\n")
    street = ("--config", str(EXAMPLES / "street.yaml"), "--output", str(folder / "shot.jpg"))
    return {
        "deepthings bench paper": [schema_of(PaperFinding)],
        "deepthings bench scale": [schema_of(ScaleResult)],
        "deepthings camera shot": _printed("camera", "shot", "street", *street, folder=ROOT),
        "deepthings check-config": {
            "right": _printed("check-config", str(home), folder=folder),
            "wrong": _printed("check-config", "wrong.yaml", "--connect", folder=folder),
            "connections": [schema_of(ConnectionTrial)],
        },
        "deepthings demo": shape_of(asyncio.run(_demo())),
        "deepthings detect": _printed("detect", str(PHOTO), folder=folder),
        "deepthings doctor": schema_of(Examination),
        "deepthings invite": schema_of(InviteAnswer),
        "deepthings nodes": schema_of(NodesAnswer),
        "deepthings plan": schema_of(PlanReport),
        "deepthings quantize": _quantised(),
        "deepthings status": schema_of(Status),
        "deepthings trace": schema_of(TraceSummary),
        "deepthings user add": schema_of(UserAnswer),
        "deepthings user list": _printed("user", "list", "--state", str(folder), folder=folder),
        "deepthings verify": _printed("verify", "--grid", "1x2", folder=folder),
        "deepthings watch": schema_of(FrameDetections),
    }


def _printed(*arguments: str, folder: Path) -> Any:
    return shape_of(json.loads(run(*arguments, "--json", folder=folder)[1]))


async def _demo() -> dict[str, Any]:
    bus = StandInBus()
    given: Any = bus
    observer = ClusterStatistics(given, "campus", ("edge-1",))
    detections = {
        "camera": "campus", "frame": "f1", "number": 1, "captured_at": 0, "published_at": 1, "model": "m",
        "latency_ms": dict.fromkeys(("total", "transfer", "prepare", "tiles", "tail", "decode"), 1.0), "grid": "1x1",
        "objects": [{"label": "person", "score": 0.5, "box": [0, 0, 1, 1], "box_rel": [0, 0, 1, 1]}],
        "image": [768, 576], "nodes": {"edge-1": {"own": 4}},
    }  # fmt: skip
    report = {"state": "online", "address": "", "version": "", "bytes": {"tcp_tile": 5, "mqtt": 6}}
    stats = {"camera": "campus", "node": "edge-1", "counts": {"captured": 2, "dropped": {"deadline": 1}}}
    await bus.hear(topics.DETECTIONS, "campus", FrameDetections.model_validate(detections))
    await bus.hear(topics.BRIDGE_NODES, "", Nodes.model_validate({"nodes": {"edge-1": report}}))
    await bus.hear(topics.CAMERA_STATS, "campus", CameraStats.model_validate(stats))
    return observer.summary()


def _quantised() -> Any:
    made = Quantised(open_model(DEFAULT_MODEL), 3, False, 10, 5, Agreement(1, 2, 3, 2, 0.5))
    return shape_of(json.loads(json.dumps(_report(made, Path("int8.onnx")))))
