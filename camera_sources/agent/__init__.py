"""The camera agent: reads a source, selects pictures, and sends them as frames to an edge."""
