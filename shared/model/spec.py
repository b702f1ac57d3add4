"""Descriptions of models, with all that ONNX files lack: preprocessing, decoder, labels, cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from shared.errors import ConfigurationError
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path


class Preprocessing(BaseModel):
    """Conversion of uint8 pixels to the network's float32 input: (pixel - mean) / std, by channel.

    `fill` is the pixel value of the bars beside a letterboxed picture; `align` is the picture's position.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    channels: Literal["bgr", "rgb"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (255.0, 255.0, 255.0)
    fill: int = Field(default=0, ge=0, le=255)
    align: Literal["centre", "top-left"] = "centre"


class AnchorHead(BaseModel):
    """One detection layer of Darknet. It reads a map (1, anchors * (5 + classes), H, W), before any sigmoid.

    `anchors` are (width, height) in input pixels. A region layer (YOLOv2) puts a softmax over the classes, a yolo layer
    (v3, v4) a sigmoid on each. `scale_x_y` stretches the centre's range beyond its cell (v4).
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    output: str
    kind: Literal["region", "yolo"]
    anchors: tuple[tuple[PositiveFloat, PositiveFloat], ...] = Field(min_length=1)
    scale_x_y: float = Field(default=1.0, ge=1)


class ModelSpec(BaseModel):
    """One model: its ONNX file (beside the spec), preprocessing, decoder and default cut.

    `decoder` None: recognised by the outputs. `preprocessing` None: the usual one of that decoder's detectors.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    file: str
    input: tuple[PositiveInt, PositiveInt] | None = Field(default=None, description="height, width, if left open")
    decoder: str | None = None
    preprocessing: Preprocessing | None = None
    score_threshold: float = Field(default=0.4, gt=0, lt=1)
    iou_threshold: float = Field(default=0.6, gt=0, le=1)
    heads: tuple[AnchorHead, ...] = ()
    cut: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class CompleteSpec(ModelSpec):
    """The complete description of an opened model. `decoder` None: no decoder fits it."""

    preprocessing: Preprocessing = Preprocessing()


def read_spec(path: Path) -> ModelSpec:
    """Read a spec in JSON. Raises ConfigurationError that names the first invalid key."""
    try:
        return ModelSpec.model_validate_json(path.read_bytes(), extra="forbid")
    except OSError as error:
        raise ConfigurationError(f"model description {path} cannot be read: {system_reason(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"model description {path}, {key}: {first['msg']}") from error
