"""Options that several commands of the gateway share: for models, methods, and the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.models.catalogue import DEFAULT_MODEL
from gateway.options import DEFAULT_GRID
from gateway.planning.methods import FIXED_METHODS, Method
from shared.cli.cluster_options import GRID_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

F = TypeVar("F", bound="Callable[..., Any]")

model_option = click.option("--model", default=DEFAULT_MODEL, help="A built-in model, an ONNX file, or a Darknet .cfg.")
weights_option = click.option(
    "--weights", type=click.Path(path_type=Path), help="The weights of a .cfg.  [default: the .weights file beside it]"
)
grid_option = click.option("--grid", type=GRID_TYPE, default=str(DEFAULT_GRID), help="Rows x columns of tiles.")
optional_grid_option = click.option(
    "--grid", type=GRID_TYPE, help="Rows x columns of tiles.  [default: none, the network runs whole; 3x3 with --cut]"
)
cut_option = click.option(
    "--cut", metavar="LAYER", help="Cut the network behind this layer, instead of the model's own cut."
)


def _method_option(methods: Iterable[Method], default: Method, text: str) -> Callable[[F], F]:
    return click.option(
        "--method", type=click.Choice([str(method) for method in methods]), default=str(default),
        callback=lambda *args: Method(args[2]), help=text,
    )  # fmt: skip


method_option = _method_option(Method, Method.AUTO, "How frames are divided and distributed; see docs/methods.md.")
divided_method_option = _method_option(
    FIXED_METHODS,
    Method.WST,
    "How frames are divided; see docs/methods.md.",
)
plan_method_option = _method_option([Method.WST, Method.WHOLE], Method.WST, "Plan tiles, or the network as a whole.")
kept_configuration_option = click.option(
    "--config", "configuration", type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's configuration file.  [default: its service's]",
)  # fmt: skip
kept_state_option = click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path),
    help="Its state folder.  [default: the configuration's]",
)  # fmt: skip
