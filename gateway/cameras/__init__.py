"""The cameras of a gateway: the edges that serve them, their presence, and their settings made by MQTT."""
