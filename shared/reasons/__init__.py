"""Why something failed, in plain words."""
