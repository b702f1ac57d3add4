"""The base of all headers: unknown fields are ignored, known ones are validated."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import ProtocolError
from shared.payloads.fields import Count
from shared.wire.codec import MessageKind

ByteCount = Count


class Header(BaseModel):
    """Base of all headers."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: ClassVar[MessageKind]

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, data: bytes | bytearray) -> Self:
        """Decode a header. Raises ProtocolError that names the first invalid field."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "header"
            raise ProtocolError(f"{cls.kind.name}: {key}: {first['msg']}") from error
