"""The camera agent: reads a source, selects frames, and feeds them to an edge."""
