"""What tiles, devices and clusters cost; nothing here is installed."""
