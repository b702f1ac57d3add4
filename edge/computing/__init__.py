"""Computing tiles: programs, the plan as an edge carries it out, strips and borders."""
