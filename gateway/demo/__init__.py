"""The demo: a real cluster of processes on this machine, observed through the public topics."""
