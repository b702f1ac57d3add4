"""The tasks of an edge: their queue and order, and predictions of how long they take."""
