"""What Frigate's users know: its topics and payloads, made of ours, so that their automations carry over.

Shapes are those of Frigate's documentation (docs.frigate.video/integrations/mqtt). There are no clips, recordings or
reviews here, and no server to fetch pictures from: `has_clip` and `has_snapshot` are always false.
"""
