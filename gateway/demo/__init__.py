"""The demo: a real cluster of processes on this machine, watched as any subscriber would."""
