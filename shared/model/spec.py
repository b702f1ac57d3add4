"""What a model file does not say of itself: how to prepare a picture for it, and how to read its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


class Preprocessing(BaseModel):
    """From uint8 pixels to the network's float32 input: (pixel - mean) / std, each by channel.

    `fill` is the pixel value of the bars beside a letterboxed picture.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    channels: Literal["bgr", "rgb"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (255.0, 255.0, 255.0)
    fill: int = Field(default=0, ge=0, le=255)


class ModelSpec(BaseModel):
    """One model: its ONNX file (beside the spec), its preparation, its decoder, where to cut it by default."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    file: str
    decoder: str | None = None
    preprocessing: Preprocessing = Preprocessing()
    score_threshold: float = Field(default=0.4, gt=0, lt=1)
    iou_threshold: float = Field(default=0.6, gt=0, le=1)
    cut: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def read_spec(path: Path) -> ModelSpec:
    """Read a spec in JSON. Raises ConfigurationError with the place of the first mistake."""
    try:
        return ModelSpec.model_validate_json(path.read_bytes(), extra="forbid")
    except OSError as error:
        raise ConfigurationError(f"model description {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"model description {path}, {where}: {first['msg']}") from error
