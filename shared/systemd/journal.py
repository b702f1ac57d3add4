"""Lines of systemd's journal, which adds the time itself and knows how grave a line is."""

from __future__ import annotations

import logging
import os
import sys

_FORMAT = "%(levelname)-7s %(name)s: %(message)s"

JOURNAL_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""By level; see sd-daemon(3)."""


def is_our_stderr(journal_stream: str | None) -> bool:
    """Return whether standard error goes to the journal: $JOURNAL_STREAM is the device and inode of that stream."""
    if not journal_stream:
        return False
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return journal_stream == f"{stream.st_dev}:{stream.st_ino}"


class JournalFormatter(logging.Formatter):
    """Lines without the time, each with its priority: `journalctl -p warning` finds them."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        mark = f"<{JOURNAL_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())
