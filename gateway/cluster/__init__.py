"""A running cluster: announcements, grants, results, plans, deadlines, and the outcomes of frames."""
