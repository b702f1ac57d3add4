"""The cameras of an edge, as the owner of their frames sees them."""

from __future__ import annotations

from typing import Protocol


class PictureSource(Protocol):
    """The cameras of this edge: whether one has more pictures than are invited, and another frame may be invited."""

    @property
    def saturated(self) -> bool: ...
    @property
    def may_have_more(self) -> bool: ...


class NoCameras:
    """No camera is connected, or none has more pictures."""

    saturated = may_have_more = False
