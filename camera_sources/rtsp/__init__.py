"""RTSP requests that find out why a camera sends no stream."""
