"""`deepthings quantize`: an int8 model from a float model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from camera_sources.open_source import open_source
from gateway.commands.model_options import weights_option
from gateway.models.catalogue import open_model
from gateway.quantization.int8 import Quantised, quantize
from shared.cli.common_options import json_option
from shared.errors import ConfigurationError


@click.command()
@click.argument("model")
@click.argument("pictures")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE.onnx",
    help="The int8 model; its description is written beside it (.json).",
)  # fmt: skip
@weights_option
@json_option
def command(model: str, pictures: str, out: Path, weights: Path | None, as_json: bool) -> None:
    """Make an int8 model, smaller and on most processors faster, from MODEL: built in, an ONNX file or a Darknet .cfg.

    PICTURES is a folder of pictures, or a video, of what the cameras see; the range of every map is measured with them.
    """
    if Path(model).is_file() and out.with_suffix("").resolve() == Path(model).with_suffix("").resolve():
        raise ConfigurationError(f"--out {out} would replace {model} or its description; choose another name")
    quantised = quantize(open_model(model, weights), open_source(pictures), out)
    print(json.dumps(_report(quantised, out)) if as_json else _sentences(quantised, out))


def _report(result: Quantised, out: Path) -> dict[str, object]:
    return {
        "model": str(out),
        "pictures": result.pictures,
        "more_pictures": result.more_pictures,
        "bytes_before": result.bytes_before,
        "bytes_after": result.bytes_after,
        "cut": list(result.model.spec.cut),
        "agreement": asdict(result.agreement) if result.agreement else None,
    }


def _sentences(result: Quantised, out: Path) -> str:
    more = "; more pictures were not used" if result.more_pictures else ""
    return (
        f"{out}: {result.bytes_before / 1e6:.1f} MB before, {result.bytes_after / 1e6:.1f} MB in int8\n"
        f"pictures used: {result.pictures}{more}\n{_agreement(result)}\n"
        f"use it with --model {out}"
    )


def _agreement(result: Quantised) -> str:
    agreement = result.agreement
    if agreement is None and result.model.spec.decoder is None:
        return "not compared with the float model: it has no decoder"
    if agreement is None:
        return "not compared with the float model: there is no second picture"
    differ = agreement.score_difference
    return (
        f"objects in {agreement.pictures} other pictures: {agreement.by_float} by the float model, "
        f"{agreement.by_int8} in int8, {agreement.by_both} by both"
    ) + ("" if differ is None else f"; their scores differ by {differ:.3f} on average")
