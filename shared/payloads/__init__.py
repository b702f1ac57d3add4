"""The payloads of all topics, as pydantic models, and the kinds of their fields."""
