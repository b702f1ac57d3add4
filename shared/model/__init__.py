"""A network as a graph of layers: loading it, looking at it, cutting it."""
