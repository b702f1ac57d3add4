"""A cluster of weak devices and a slow network, emulated on one machine."""
