"""The base of all sections of the configuration file."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """The base of all sections: unknown keys are refused, values are frozen, an empty key counts as missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def drop_empty_keys(cls, data: Any) -> Any:  # noqa: ANN401  (any content of a file)
        """Return the data without keys that have no value, such as a lone `hooks:`."""
        if data is None:
            return {}
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}
        return data
