"""A clock that tests set."""


class Clock:
    """Returns `now`, in seconds."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now
