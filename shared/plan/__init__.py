"""The plan of the cluster, and its validation."""
