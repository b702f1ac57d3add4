"""The plan, and whether it can be carried out."""
