"""What an answer of a webhook's server means: done, worth another try, or hopeless."""

from __future__ import annotations

from dataclasses import dataclass

MAX_RETRY_AFTER_S = 30.0
"""A server that asks for more patience than this gets no more: the news is old by then, and others wait behind it."""


@dataclass(frozen=True, slots=True)
class AttemptFailure:
    """Why one try failed, whether another one may help, and how many seconds the server asks to wait before it."""

    reason: str
    again: bool = False
    after_s: float = 0.0


def failure_of_response(status: int, retry_after: str = "") -> AttemptFailure | None:
    """None when it was accepted. Another try helps against 429 and 5xx only, as the others would be answered alike."""
    if 200 <= status < 300:
        return None
    if status == 429 or status >= 500:
        return AttemptFailure(f"the server answers {status}", again=True, after_s=_seconds(retry_after))
    if 300 <= status < 400:
        return AttemptFailure(
            f"the server answers {status}, a redirection, which is not followed: events go only where the "
            "configuration says; write the final address there"
        )
    return AttemptFailure(f"the server answers {status}; look at the hook's address and at what the server expects")


def _seconds(retry_after: str) -> float:
    """The header Retry-After, where it is a number; one that names a date is ignored."""
    value = retry_after.strip()
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else 0.0
