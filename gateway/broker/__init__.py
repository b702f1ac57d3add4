"""The brokers of a gateway: its own Mosquitto, the broker of the house, and what is published at which."""
