"""Measurements of tiles, devices and clusters; only for development, not for operation."""
