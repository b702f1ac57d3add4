"""The base of all MQTT payloads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A payload: unknown fields are ignored, known ones are checked."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
