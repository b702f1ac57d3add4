"""RTSP requests that check a camera's login, and find out why it sends no stream."""
