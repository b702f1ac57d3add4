"""An owner's frames: their tasks by plan, and their outcomes."""
