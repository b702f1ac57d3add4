"""Addresses, hosts, ports, and waiting before the next attempt."""
