"""Prints the messages that a subscriber receives, as JSON lines; runs inside the gateway's namespace.

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
    from shared.mqtt.topic_kinds import Topic
    from shared.payloads.base import Message

WITNESSED_TOPICS: dict[str, Topic[Any]] = {
    "bridge": topics.BRIDGE_STATE,
    "plan": topics.PLAN,
    "nodes": topics.BRIDGE_NODES,
    "detections": topics.DETECTIONS,
    "camera": topics.CAMERA_STATS,
}
"""Topics to print, by the name in the output."""


def main() -> None:
    """Print received messages until the parent ends."""
    bus = Bus(Address.parse(sys.argv[1]), f"deepthings-witness-{os.getpid()}")
    for kind, topic in WITNESSED_TOPICS.items():
        bus.on(topic, partial(_print, kind))
    asyncio.run(bus.run())


def _print(kind: str, name: str, message: Message) -> None:
    print(json.dumps([kind, name, message.model_dump(mode="json")]), flush=True)  # the parent process reads it


if __name__ == "__main__":
    main()
