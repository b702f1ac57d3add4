"""The members of the cluster: which edges there are, and who can reach whom."""
