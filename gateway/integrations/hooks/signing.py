"""Makes the headers of a webhook: the kind of event, and a signature that proves the sender.

The scheme is that of GitHub's and Stripe's webhooks: an HMAC over the time of sending and the body, so that nobody can
replay an intercepted request later.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.integrations.hooks.delivery import Delivery


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC-SHA-256 of timestamp + "." + body, in lower-case hexadecimal."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def webhook_headers(delivery: Delivery, secret: str | None, now: float) -> dict[str, str]:
    """Return the headers of an attempt at `now` (seconds since 1970), with a signature if there is a secret."""
    timestamp = str(int(now))
    headers = {
        "Content-Type": "application/json",
        "X-DeepThings-Event": delivery.kind,
        "X-DeepThings-Delivery": delivery.id,
        "X-DeepThings-Timestamp": timestamp,
    }
    if secret is not None:
        headers["X-DeepThings-Signature"] = signature(secret, timestamp, delivery.body)
    return headers
