"""What an edge reports of itself: load, rates, and whom it cannot reach."""
