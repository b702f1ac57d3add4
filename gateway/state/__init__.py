"""The state folder of a gateway: its files and its lock."""
