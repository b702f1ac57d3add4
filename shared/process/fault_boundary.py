"""The fault boundary around received messages: an error while one is handled is logged, and nothing else fails."""

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
"""One kind of fault is logged at most this often: a peer may send thousands of bad messages."""


class FaultBoundary:
    """Logs the errors of message handlers, and limits the number of log lines."""

    def __init__(self) -> None:
        self._log_limit = RateLimit(FAULT_LOG_PERIOD_S)

    @contextlib.contextmanager
    def guard(self, subscription: str, topic: str) -> Iterator[None]:
        """Log an error that occurs while a message of `topic` is handled.

        For each subscription, errors of one kind are logged once in FAULT_LOG_PERIOD_S.
        """
        try:
            yield
        except ValidationError as error:
            self._log_fault(subscription, "ignored", topic, f"message ignored: {_first_line(error)}")
        except asyncio.QueueFull:
            self._log_fault(subscription, "late", topic, "message ignored: too many are waiting already")
        except DeepThingsError as error:
            self._log_fault(subscription, "refused", topic, str(error))
        except Exception:  # noqa: BLE001  (a bug that one message triggers must not end the process)
            self._log_fault(subscription, "failed", topic, "message failed", exc_info=True)

    def _log_fault(self, subscription: str, kind: str, topic: str, text: str, *, exc_info: bool = False) -> None:
        if self._log_limit.allows((subscription, kind), time.monotonic()):
            log.warning("%s: %s", printable(topic), text, exc_info=exc_info)


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{printable('.'.join(str(part) for part in first['loc']))}: {first['msg']}"
