"""Building and running the program of a stage: one session, whatever the number of tiles."""
