"""What the cameras see: tracking, scenes, snapshots, and their states on MQTT."""
