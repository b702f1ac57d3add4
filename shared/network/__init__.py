"""Addresses, hosts and ports; announcing and finding gateways; pauses between attempts."""
