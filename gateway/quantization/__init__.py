"""Models in int8, and how far they agree with the float model."""
