"""Security of a cluster: identities of nodes, their certificates, and the list of members."""
