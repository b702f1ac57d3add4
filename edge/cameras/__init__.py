"""The cameras of an edge: their agent processes, and the connections over which these send frames."""
