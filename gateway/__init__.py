"""The one place that has the model: plans, matches thieves with victims, merges, finishes, publishes."""
