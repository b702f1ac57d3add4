"""What a plan is made of: methods, partitioned models, and the plan that every edge gets."""
