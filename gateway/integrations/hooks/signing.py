"""The headers of a webhook, by which its receiver knows what it gets and that it comes from us.

The scheme is that of GitHub's and Stripe's webhooks: an HMAC over the time of sending and the body, so that what was
overheard cannot be sent again later.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.integrations.hooks.delivery import Delivery


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA-256 of timestamp + "." + body, in lower-case hexadecimal."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def webhook_headers(delivery: Delivery, secret: str | None, now: float) -> dict[str, str]:
    """For one try at `now`, seconds since 1970; without a secret there is no signature."""
    timestamp = str(int(now))
    made = {
        "Content-Type": "application/json",
        "X-DeepThings-Event": delivery.kind,
        "X-DeepThings-Delivery": delivery.id,
        "X-DeepThings-Timestamp": timestamp,
    }
    if secret is not None:
        made["X-DeepThings-Signature"] = signature(secret, timestamp, delivery.body)
    return made
