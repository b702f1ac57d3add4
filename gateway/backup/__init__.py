"""Backs up a gateway into one file, and restores it."""
