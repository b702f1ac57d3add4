"""URLs of cameras: their parts, their schemes, and how they may be shown."""
