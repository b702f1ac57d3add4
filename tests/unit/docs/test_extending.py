"""The code in docs/extending.md works."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from shared.detection.decoding import decode
from shared.detection.decoding.recognition import FAMILIES, choose_family, families_of
from shared.model.spec import ModelSpec

DOCS = Path(__file__).parents[3] / "docs"
SIZE = (64, 96)


def blocks(language):
    """The code blocks of the page in one language."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^\1```", (DOCS / "extending.md").read_text(), re.DOTALL | re.MULTILINE
    )
    return [dedent(text) for _, text in found]


def module(containing):
    """Run the one Python block that contains a word; returns its names."""
    (text,) = [text for text in blocks("python") if containing in text]
    names = {}
    exec(text, names)  # noqa: S102  (our own page)
    return names


def test_the_decoder_is_recognised_and_reads_boxes(monkeypatch):
    family = module("Family(")["PIXEL_BOXES"]
    monkeypatch.setitem(FAMILIES, family.name, family)
    boxes = np.array([[[1, 2, 30, 40], [5, 5, 9, 9]]], np.float32)
    outputs = {"pixel_boxes": boxes, "pixel_scores": np.array([[[0.1, 0.9, 0], [0.1, 0.2, 0]]], np.float32)}
    spec = ModelSpec(name="mine", file="mine.onnx", labels=("a", "b", "c"))
    candidates = families_of({name: value.shape for name, value in outputs.items()}, SIZE, spec)
    assert family in candidates
    assert choose_family([family], outputs, SIZE, spec) is family
    assert family.doubt({**outputs, "pixel_scores": outputs["pixel_scores"] * 2}, SIZE, spec)
    found = decode(outputs, SIZE, spec.model_copy(update={"decoder": family.name}))
    assert (found.boxes.tolist(), found.classes.tolist()) == ([[1, 2, 30, 40]], [1])


def test_the_command_is_one():
    done = CliRunner().invoke(module("click.command()")["command"], ["attic"])
    assert (done.exit_code, done.output) == (0, "Hello, attic.\n")


def test_the_key_is_one_with_bounds_and_a_description(tmp_path):
    (text,) = [text for text in blocks("python") if "brightness" in text]
    head = "from pydantic import Field\nfrom shared.settings.section import Section\n\nclass Picture(Section):\n"
    file = tmp_path / "picture_section.py"
    file.write_text(head + indent(text, "    "))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.Picture.model_fields["brightness"].description == "Factor by which the picture is made brighter."
    assert made.Picture().brightness == 1
    with pytest.raises(ValidationError):
        made.Picture(brightness=5)


def test_the_entry_point_is_that_of_the_example():
    (shown,) = blocks("toml")
    example = tomllib.loads((DOCS / "examples" / "camera-source" / "pyproject.toml").read_text())
    assert tomllib.loads(shown)["project"]["entry-points"] == example["project"]["entry-points"]
