"""One cluster at work: announcements, grants, results, plans, deadlines, and what becomes of frames."""
