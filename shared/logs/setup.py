"""The log on standard error: lines with their time; of lines that repeat, only the first ones and summaries.

In systemd's journal lines have no time, because the journal adds it. DEEPTHINGS_LOG=json makes each line a JSON object.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING, TextIO

from shared.logs.json_lines import LOG_AS_JSON, LOG_VARIABLE, JsonFormatter
from shared.logs.repetition import Repetition
from shared.systemd.journal import JournalFormatter, is_our_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.logs.repetition import RepeatedLine

_FORMAT, _CLOCK = "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"

SUBJECT = "subject"
"""The attribute of a log record that overrides its subject, see `subject_of`."""

_FRAME = re.compile(r"-[0-9a-f]+-\d+$")
_PORT = re.compile(r":\d+$")
_NUMBER = re.compile(r"\d+")


def configure_logging(verbosity: int) -> None:
    """Log state changes; with `verbosity` 1 also every tile, with 2 also the libraries and all repeated lines."""
    handler = logging.StreamHandler() if verbosity > 1 else SparingHandler()
    handler.setFormatter(_formatter())
    logging.basicConfig(level=logging.DEBUG if verbosity else logging.INFO, handlers=[handler])
    if verbosity < 2:
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        logging.getLogger("mqtt").setLevel(logging.CRITICAL)  # paho-mqtt's codes: we log readable reasons instead


def _formatter() -> logging.Formatter:
    if os.environ.get(LOG_VARIABLE) == LOG_AS_JSON:
        return JsonFormatter()
    in_journal = is_our_stderr(os.environ.get("JOURNAL_STREAM"))
    return JournalFormatter() if in_journal else logging.Formatter(_FORMAT, _CLOCK)


class SparingHandler(logging.StreamHandler[TextIO]):
    """Writes the first lines of each kind, then summaries, to spare SD cards. Lines of level DEBUG are all written.

    Lines of one kind come from the same log statement and have the same subject: an edge, a camera, a host.
    """

    def __init__(self) -> None:
        super().__init__()
        self._repetition: Repetition[logging.LogRecord] = Repetition()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines that the policy allows now. Called with the handler's lock held."""
        if record.levelno < logging.INFO:
            super().emit(record)
            return
        try:
            content, line = (record.levelno, str(record.msg)), self._as_plain_text(record)
        except Exception:  # noqa: BLE001  (logging itself treats a line that cannot be formatted like this)
            self.handleError(record)
            return
        self._write(self._repetition.add_line(record.name, content, subject_of(record), line, time.monotonic()))
        self._start_timer()

    def close(self) -> None:
        """Write the remaining summaries."""
        with self._locked():
            if self._timer is not None:
                self._timer.cancel()
            self._write(self._repetition.remaining(time.monotonic()))
        super().close()

    def _write(self, lines: list[RepeatedLine[logging.LogRecord]]) -> None:
        for line in lines:
            super().emit(_summary(line) if line.count > 1 else line.line)

    def _as_plain_text(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record with its message and exception as text.

        A record may be kept for hours; it must not keep the stack frames of its exception alive.
        """
        line = copy.copy(record)
        line.msg, line.args = record.getMessage(), ()
        if record.exc_info:
            line.exc_text = (self.formatter or logging.Formatter()).formatException(record.exc_info)
            line.exc_info = None
        return line

    def _start_timer(self) -> None:
        """Start a timer that writes the next summary, even if nothing else is logged."""
        due_at = self._repetition.next_due()
        if due_at is not None and self._timer is None:
            self._timer = threading.Timer(max(0.0, due_at - time.monotonic()), self._on_timer)
            self._timer.daemon = True
            with contextlib.suppress(RuntimeError):  # no thread can be started: the next line writes the summary
                self._timer.start()

    def _on_timer(self) -> None:
        with self._locked():
            self._timer = None
            self._write(self._repetition.due(time.monotonic()))
            self._start_timer()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def subject_of(record: logging.LogRecord) -> str:
    """Return the subject of a line: its first argument that is not a number, without parts that differ each time.

    A frame is replaced by its camera, an address by its host. `extra={SUBJECT: ...}` of a log call overrides it.
    """
    if (subject := getattr(record, SUBJECT, None)) is not None:
        return str(subject)
    arguments = record.args if isinstance(record.args, tuple) else ()
    first = next((str(value) for value in arguments if not isinstance(value, int | float)), "")
    constant = _PORT.sub("", _FRAME.sub("", first))
    return _NUMBER.sub("0", constant) if " " in constant else constant  # a sentence may contain counts


def _summary(line: RepeatedLine[logging.LogRecord]) -> logging.LogRecord:
    """Return the newest of the repeated lines, with their number and period, and without an exception."""
    record = copy.copy(line.line)
    record.msg, record.exc_text = f"{record.msg} ({line.count} times in the last {format_period(line.over_s)})", None
    return record


def format_period(seconds: float) -> str:
    """Return a duration for people, in the unit that fits: "3 hours", "minute", "20 s"."""
    for unit_s, unit in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return "minute" if seconds > 45 else f"{max(1.0, seconds):.0f} s"
