"""The brokers of a gateway: its own Mosquitto, the house's broker, and the topics of each."""
