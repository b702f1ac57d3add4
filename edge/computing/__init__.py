"""Computing tiles: programs, the plan as an edge executes it, strips and borders."""
