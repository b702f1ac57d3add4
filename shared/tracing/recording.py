"""The recorded spans of one node on the wire: compressed JSON, checked and bounded. Pure."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError
from pydantic_core import from_json, to_json

from shared.errors import ProtocolError
from shared.payloads.base import Message
from shared.payloads.fields import Count
from shared.payloads.frames import FRAME_PATTERN
from shared.tracing.spans import MAX_SPANS, ProcessTime, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.tracing.clocks import ClockOffset

MAX_RECORDING_BYTES = 8 * 2**20
"""Bytes of a node's uncompressed JSON: 16,384 spans with the longest names are 4 MB, and compress to a tenth."""

COMPRESSION_LEVEL = 1
"""The fastest level, which is sufficient because spans repeat their names."""

_TIME_DIGITS = 6
"""Decimal digits of seconds: microseconds."""

ClockTime = Annotated[float, Field(ge=-1e12, le=1e12)]
PartName = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z ]*$")]
SpanRow = tuple[
    PartName, Annotated[str, Field(pattern=FRAME_PATTERN)], ClockTime, ClockTime, Count | None,
    Annotated[float, Field(ge=0, le=1e9)] | None,
]  # fmt: skip


class Recording(Message):
    """The spans that a node recorded, by its own clock. Unknown parts are kept, because newer releases may add some."""

    spans: tuple[SpanRow, ...] = Field(default=(), max_length=MAX_SPANS)
    cpu_s: float | None = Field(default=None, ge=0, le=1e12)
    over_s: float = Field(default=0.0, ge=0, le=1e12)

    def aligned(self, clock: ClockOffset) -> list[Span]:
        """Return the spans by the clock of the node that requested them."""
        return [
            Span(part, frame, clock.to_own(begin), clock.to_own(max(begin, end)), tile, cpu_s)
            for part, frame, begin, end, tile, cpu_s in self.spans
        ]


def encode_recording(spans: Sequence[Span], process: ProcessTime | None) -> bytes:
    """Encode spans for the wire."""
    rows = [
        (
            part, frame, round(begin, _TIME_DIGITS), round(end, _TIME_DIGITS), tile,
            None if cpu_s is None else round(cpu_s, _TIME_DIGITS),
        )
        for part, frame, begin, end, tile, cpu_s in spans
    ]  # fmt: skip
    content = {"spans": rows} | ({} if process is None else {"cpu_s": process.cpu_s, "over_s": process.over_s})
    return zlib.compress(to_json(content), COMPRESSION_LEVEL)


def decode_recording(data: bytes | memoryview) -> Recording:
    """Decode the result of encode_recording. Raises ProtocolError for any other data."""
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(data, MAX_RECORDING_BYTES)
        if not unpacker.eof:
            raise ProtocolError(f"it is damaged, or longer than {MAX_RECORDING_BYTES} bytes")
        return Recording.model_validate(from_json(content), strict=False)
    except zlib.error as error:
        raise ProtocolError(f"it is damaged: {error}") from error
    except ValidationError as error:
        raise ProtocolError(f"it is not a trace: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise ProtocolError(f"it is not a trace: {error}") from error
