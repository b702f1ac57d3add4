"""Build, prepare and run the program of a stage."""
