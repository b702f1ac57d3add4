"""What both sides speak: networks, tiles, engine, data plane and bus. Knows nothing of gateway or edge."""
