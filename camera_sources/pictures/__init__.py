"""Pictures as bytes: their size, their end, and decoding them."""
