"""Retained messages: what may be retained, also over restarts, and clearing what is stale."""
