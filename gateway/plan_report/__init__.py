"""The report of `deepthings plan`: possible cuts, the memory that tiles need, tables and a picture."""
