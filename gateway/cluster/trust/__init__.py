"""Which nodes may compute: verification, attribution of wrong tiles, standings, barring."""
