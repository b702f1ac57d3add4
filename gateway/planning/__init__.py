"""From a model to a plan: methods, partitioned models, and the plan that every edge gets."""
