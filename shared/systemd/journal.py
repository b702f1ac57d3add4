"""Log lines for systemd's journal: with their priority, and without the time, which the journal adds."""

from __future__ import annotations

import logging
import os
import sys

_FORMAT = "%(levelname)-7s %(name)s: %(message)s"

JOURNAL_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""By log level; see sd-daemon(3)."""


def is_our_stderr(journal_stream: str | None) -> bool:
    """Return whether standard error goes to the journal; `journal_stream` is $JOURNAL_STREAM, its device and inode."""
    if not journal_stream:
        return False
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return journal_stream == f"{stream.st_dev}:{stream.st_ino}"


class JournalFormatter(logging.Formatter):
    """Formats lines without the time but with their priority, as `journalctl -p warning` needs it."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record, each with its priority."""
        mark = f"<{JOURNAL_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())
