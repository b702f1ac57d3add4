"""The limit of the size of MQTT messages."""

from __future__ import annotations

import logging

from shared.errors import BrokerError
from shared.logs.printable import printable

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 1_000_000
"""Below max_packet_size in mosquitto/mosquitto.conf: the broker would refuse a larger message at every attempt."""


def check_size(path: str, payload: bytes) -> None:
    """Raise BrokerError for a message that is too large, and log a warning.

    The warning is needed because most senders ignore a BrokerError, and publish again later.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        log.warning("%s not published: %s bytes are more than a broker accepts", printable(path), len(payload))
        raise BrokerError(f"a message of {len(payload)} bytes is too large for {path}")
