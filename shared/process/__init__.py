"""Processes: start and end, signals, children, cores, memory, and the installation."""
