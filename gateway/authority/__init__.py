"""The authority of a cluster: its keys, its members, and letting devices join."""
