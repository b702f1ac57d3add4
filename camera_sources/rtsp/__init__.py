"""Asking a camera over RTSP why it sends no stream."""
