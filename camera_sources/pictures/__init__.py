"""Encoded pictures: their size, their end, decoding them, and the part of them that is used."""
