"""URLs of cameras: their parts, their schemes, and removing secrets before they are shown."""
