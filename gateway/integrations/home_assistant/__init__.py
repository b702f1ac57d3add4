"""Home Assistant without a plugin: publishes devices and entities for its MQTT discovery."""
