"""The cameras of a gateway: which edge serves which, whether they are there, and what was set by MQTT."""
