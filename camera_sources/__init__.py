"""Cameras: where frames come from, and the agent that feeds them to an edge."""
