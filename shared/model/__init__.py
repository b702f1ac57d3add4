"""A network as a graph of layers: loading it, describing it, cutting it."""
