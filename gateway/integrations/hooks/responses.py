"""Classifies the responses of a webhook's server: success, retry, or failure."""

from __future__ import annotations

from dataclasses import dataclass

MAX_RETRY_AFTER_S = 30.0
"""The longest wait that a server may ask for. After a longer one the event would be outdated; later events wait,
too."""


@dataclass(frozen=True, slots=True)
class AttemptFailure:
    """A failed attempt and its reason. `again`: a retry may help, at the earliest `after_s` seconds later."""

    reason: str
    again: bool = False
    after_s: float = 0.0


def failure_of_response(status: int, retry_after: str = "") -> AttemptFailure | None:
    """Return the failure that a status of HTTP means; None for a success.

    Only 429 and 5xx are retried, because other requests would fail again. `retry_after` is the header Retry-After.
    """
    if 200 <= status < 300:
        return None
    if status == 429 or status >= 500:
        return AttemptFailure(f"the server answers {status}", again=True, after_s=_seconds(retry_after))
    if 300 <= status < 400:
        return AttemptFailure(
            f"the server answers {status}, a redirect, which is not followed; "
            "write the final address into the configuration"
        )
    return AttemptFailure(f"the server answers {status}; check the hook's address and what the server expects")


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header; 0 if it is missing or a date."""
    value = retry_after.strip()
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else 0.0
