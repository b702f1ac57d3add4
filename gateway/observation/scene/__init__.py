"""What a camera's tracks mean: which objects count, where they are, and what is told of them. Pure."""
