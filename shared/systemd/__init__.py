"""Life under systemd: what it is told, units that it starts us by, and lines of its journal."""
