"""Metrics in Prometheus' format: figures as values, their text, and a small server for a device without a page."""
