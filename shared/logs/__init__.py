"""The log: its set-up, and policies for lines that repeat."""
