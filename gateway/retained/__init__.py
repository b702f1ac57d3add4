"""Retained messages: the topics that may have one, over restarts too, and clearing stale ones."""
