"""How a cluster is, for people and programs: what its gateway has told in, a report out."""
