"""Options of the commands that open a model."""

from __future__ import annotations

import click

from gateway.catalogue import DEFAULT_MODEL
from shared.cli.options import GRID

model_option = click.option("--model", default=DEFAULT_MODEL, help="A built-in model, or an ONNX file.")
grid_option = click.option("--grid", type=GRID, default="3x3", help="Rows x columns of tiles.")
cut_option = click.option(
    "--cut", metavar="LAYER", help="Cut the network behind this layer, instead of the model's own cut."
)
