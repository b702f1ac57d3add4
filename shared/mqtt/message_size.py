"""The size of a message."""

from __future__ import annotations

import logging

from shared.errors import BrokerError
from shared.logs.printable import printable

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 1_000_000
"""Below the broker's max_packet_size (mosquitto/mosquitto.conf), which would refuse a larger one at every attempt."""


def check_size(path: str, payload: bytes) -> None:
    """Raise BrokerError for a message that is too large, and log it.

    Most senders ignore a BrokerError, as they publish again later, but this message would never be accepted.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        log.warning("%s not published: %s bytes are more than a broker accepts", printable(path), len(payload))
        raise BrokerError(f"a message of {len(payload)} bytes is too large for {path}")
