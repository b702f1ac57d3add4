"""Frigate's topics and payloads, derived from ours, so that automations that were written for Frigate still work.

Shapes are those of Frigate's documentation (docs.frigate.video/integrations/mqtt). There are no clips, recordings or
reviews here, and no server to fetch pictures from: `has_clip` and `has_snapshot` are always false.
"""
