"""The tasks of an edge: their queue, their order, and predictions of their duration."""
