"""`deepthings doctor`: probes that collect facts, and pure checks that make findings of them."""
