"""What Frigate's users know: its topics and payloads, made of ours, so that their automations carry over.

Shapes are those of Frigate's documentation (docs.frigate.video/integrations/mqtt). There are no clips, recordings or
reviews here, and no server to fetch pictures from: `has_clip` and `has_snapshot` are always false.
"""

from __future__ import annotations

from gateway.integrations.frigate.counts import Counts
from gateway.integrations.frigate.events import Events
from gateway.integrations.frigate.messages import (
    FrigateMessage,
    available,
    detect_command,
    detect_state,
    detect_topic,
    snapshot,
)

__all__ = [
    "Counts",
    "Events",
    "FrigateMessage",
    "available",
    "detect_command",
    "detect_state",
    "detect_topic",
    "snapshot",
]
