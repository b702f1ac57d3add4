"""The base of all MQTT payloads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A payload. Unknown fields are ignored, known ones are validated."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
