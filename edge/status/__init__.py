"""The edge's reports about itself: load, rates, unreachable peers, and a missing gateway."""
