"""Integrations: Home Assistant, hooks, and Frigate-compatible topics."""
