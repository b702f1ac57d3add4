"""Fuzzing of what strangers reach: parsers that get bytes from peers who have not shown who they are."""
