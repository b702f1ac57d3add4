"""Atomic writing of files, temporary files, and files of environment variables."""
