"""A device: frames into tiles, its task queue, its worker, and stealing in both directions."""
