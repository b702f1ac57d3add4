"""MQTT: topics, connections with a broker, logins, client ids."""
