"""Compares a cluster with what its devices do alone, bare: one loop that does the whole job on each."""
