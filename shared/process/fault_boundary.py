"""The fault boundary of what others send: what goes wrong with one message is logged, and ends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.errors import DeepThingsError
from shared.logs.printable import printable
from shared.logs.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

FAULT_LOG_PERIOD_S = 60.0
"""One kind of fault is logged so often at the most: others may send thousands of such messages."""


class FaultBoundary:
    """Wraps the handling of messages, one at a time or many."""

    def __init__(self) -> None:
        self._complaints = RateLimit(FAULT_LOG_PERIOD_S)

    @contextlib.contextmanager
    def guard(self, subscription: str, topic: str) -> Iterator[None]:
        """Log what goes wrong with a message of `topic`: one fault of each kind and subscription a minute."""
        try:
            yield
        except ValidationError as error:
            self._complain(subscription, "ignored", topic, f"message ignored: {_first_line(error)}")
        except asyncio.QueueFull:
            self._complain(subscription, "late", topic, "message ignored: too many before it are waiting")
        except DeepThingsError as error:
            self._complain(subscription, "refused", topic, str(error))
        except Exception:  # noqa: BLE001  (a mistake of ours with one message must not end the process)
            self._complain(subscription, "failed", topic, "message failed", exc_info=True)

    def _complain(self, subscription: str, kind: str, topic: str, text: str, *, exc_info: bool = False) -> None:
        if self._complaints.allows((subscription, kind), time.monotonic()):
            log.warning("%s: %s", printable(topic), text, exc_info=exc_info)


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{printable('.'.join(str(part) for part in first['loc']))}: {first['msg']}"
