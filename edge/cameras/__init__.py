"""Cameras of an edge: their agents as processes, and the connections that they feed frames by."""
