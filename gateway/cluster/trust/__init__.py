"""Trust in nodes: verification, attribution of wrong tiles, standings, barring."""
