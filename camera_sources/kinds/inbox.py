"""Holds the newest picture between the thread that receives pictures and the thread that reads them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.errors import SourceError


class PictureInbox:
    """Holds one picture, the newest, so that a slow reader gets no old ones."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: tuple[float, bytes] | None = None
        self._error: SourceError | None = None

    def put_picture(self, captured_at: float, data: bytes) -> None:
        with self._changed:
            self._picture = captured_at, data
            self._changed.notify()

    def fail(self, error: SourceError) -> None:
        """Report that no more pictures will come; only the first reason is kept."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify()

    def take_picture(self, timeout_s: float) -> tuple[float, bytes] | None:
        """Return the time (seconds since 1970) and the bytes of a picture; None if none comes within `timeout_s`.

        Raises the error of `fail`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._picture or self._error, max(0.0, timeout_s))
            picture, self._picture = self._picture, None
            if picture is None and self._error is not None:
                raise self._error
            return picture
