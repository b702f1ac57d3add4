"""Fused Tile Partitioning, pure: which region of every map a tile needs, and how tiles merge.

Source: Zhao, Barijough, Gerstlauer, "DeepThings", IEEE TCAD 37(11), 2018, section III-A.
"""
