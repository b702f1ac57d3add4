"""Following objects from frame to frame: boxes in, tracks with lasting ids out. Pure; times are seconds since 1970."""
