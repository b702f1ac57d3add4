"""The trace of frames: when and where each part of a frame's way was done, kept for a minute by every node."""
