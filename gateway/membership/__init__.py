"""The members of the cluster: the known edges, and which of them can reach each other."""
