"""The kinds of sources: RTSP, HTTP, USB, files, folders, MQTT, and a test pattern."""
