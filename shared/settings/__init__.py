"""The base of all configuration sections, and the kinds of their values."""
