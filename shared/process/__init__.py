"""The life of a process: start, signals, children, and what is installed."""
