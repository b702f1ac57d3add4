"""The trace of frames: the times and nodes of each part of a frame's way, which every node keeps for a minute."""
