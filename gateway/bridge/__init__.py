"""The topics below `bridge`: health, problems, events and requests."""
