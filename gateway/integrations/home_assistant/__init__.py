"""Home Assistant, without a plugin: what its MQTT integration is told of devices and entities, and when."""
