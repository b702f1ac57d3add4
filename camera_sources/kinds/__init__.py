"""One module for each kind of source: RTSP, HTTP, USB, files, folders, MQTT, and a test pattern."""
