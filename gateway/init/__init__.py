"""A first configuration: what is asked and tried, the files that come of it, and what to type then."""
