"""The base of all configuration sections, and the types of their values."""
