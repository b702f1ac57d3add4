"""Subscribes to a cluster's broker and prints the messages as JSON lines. It is run inside the gateway's namespace.

python -P -m benchmarks.witness HOST:PORT
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.network.addresses import Address

if TYPE_CHECKING:
    from shared.mqtt.received import Received
    from shared.mqtt.topic_kinds import Topic

WITNESSED_TOPICS: dict[str, Topic[Any]] = {
    "bridge": topics.BRIDGE_STATE,
    "plan": topics.PLAN,
    "nodes": topics.BRIDGE_NODES,
    "detections": topics.DETECTIONS,
    "camera": topics.CAMERA_STATS,
}
"""Topics whose messages are printed, by their name in the output."""


FLUSH_PERIOD_S = 0.1
"""Messages of this time are printed together: on one machine, each write takes CPU time from the cluster."""


class MessagePrinter:
    """Prints the payloads of messages, which are JSON, without parsing them."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, kind: str, received: Received) -> None:
        """Print a message within FLUSH_PERIOD_S, unless its payload is empty: that clears a retained message."""
        if not received.payload:
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_PERIOD_S, self.flush)
        name = next(iter(received.names), "")
        self._lines.append(f"[{json.dumps(kind)}, {json.dumps(name)}, {received.payload.decode()}]\n")

    def flush(self) -> None:
        """Write the lines that were added, for the parent process to read."""
        sys.stdout.write("".join(self._lines))
        sys.stdout.flush()
        self._lines.clear()


def main() -> None:
    """Print messages of the broker that is named by the first argument, until the process is killed."""
    bus, printer = Bus(Address.parse(sys.argv[1]), f"deepthings-witness-{os.getpid()}"), MessagePrinter()
    for kind, topic in WITNESSED_TOPICS.items():
        bus.on_plain(topic, partial(printer.add, kind))
    asyncio.run(bus.run())


if __name__ == "__main__":
    main()
