"""Compares a cluster with its devices alone: each runs a bare loop, a single program that does the whole job."""
