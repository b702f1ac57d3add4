"""The base of all sections of the configuration file."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values do not change, an empty key is not there."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def without_empty(cls, data: Any) -> Any:  # noqa: ANN401  (whatever the file says)
        """What is left when keys without a value, as in `hooks:` alone, are taken as not written."""
        if data is None:
            return {}
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}
        return data
