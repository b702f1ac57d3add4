"""Who is told what was seen: Home Assistant, hooks, and Frigate-compatible topics."""
