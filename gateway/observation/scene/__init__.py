"""The scene of a camera: which tracked objects count, their zones, states, events and triggers. Pure."""
