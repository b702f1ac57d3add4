"""systemd: notifications, units, accounts of services, lines of the journal."""
