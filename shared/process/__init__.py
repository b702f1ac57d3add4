"""The life of a process: start, signals, children, installation."""
