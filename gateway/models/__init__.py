"""Detectors: the built-in network, models by file, how their outputs are decoded, and detection itself."""
