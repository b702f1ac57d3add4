"""Hooks deliver events outside MQTT, as the configuration says: by webhook (HTTP POST) or to a command."""
