"""Observation: tracking, scenes, snapshots, and publishing their states."""
