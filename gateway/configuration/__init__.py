"""The configuration file: its sections, and reading it."""
