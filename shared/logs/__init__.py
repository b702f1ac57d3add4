"""The log: set-up, and policies for repeated lines."""
