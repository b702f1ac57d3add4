"""Types of fields that several messages share, with bounds: data from the network is not trusted."""

from __future__ import annotations

from typing import Annotated, NewType

from pydantic import Field

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""Names of cameras and nodes, which are levels of topics: lower-case letters, digits, - and _."""

MAX_COUNT = 2**63 - 1
"""Bound of counts: every JSON library reads it as an integer, and no count becomes as large."""

MAX_TIME_S = 253_402_300_799
"""Seconds from 1970 to the end of the year 9999, the last year of Python's datetime."""

PictureBox = NewType("PictureBox", tuple[float, float, float, float])
"""left, top, right, bottom in pixels of the picture."""

RelativeBox = NewType("RelativeBox", tuple[float, float, float, float])
"""left, top, right, bottom as parts of the picture's width and height, 0 to 1."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Host = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9._:%-]*$")]
"""A host's name or address; in some fields empty, for the broker's host. DNS allows 253 characters, but 256 hosts must
fit into a header."""
Port = Annotated[int, Field(ge=0, le=65535)]
Time = Annotated[float, Field(ge=0, le=MAX_TIME_S)]
"""Seconds since 1970."""
Rate = Annotated[float, Field(ge=0, le=1e15)]
"""A number per second."""
DurationSeconds = Annotated[float, Field(ge=0, le=1e9)]

Milliseconds = Annotated[float, Field(ge=0, le=1e12)]
ShortText = Annotated[str, Field(max_length=100)]
"""A version, a host's name for people, an identifier."""
