"""Cameras: the sources of pictures, and the agent that sends frames to an edge."""
