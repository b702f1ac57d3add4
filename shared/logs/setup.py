"""The log, which is standard error: lines with their time, and of what repeats only the first ones.

The journal of systemd has the time of each line already.
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

from shared.logs.repetition import Repetition
from shared.systemd.journal import JournalFormatter, is_our_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.logs.repetition import RepeatedLine

_FORMAT, _CLOCK = "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"

SUBJECT = "subject"

_FRAME = re.compile(r"-[0-9a-f]+-\d+$")
_PORT = re.compile(r":\d+$")
_NUMBER = re.compile(r"\d+")


def configure_logging(verbosity: int) -> None:
    """Log state changes, or with `verbosity` 1 every tile, or with 2 the libraries and all that repeats, too."""
    handler = logging.StreamHandler() if verbosity > 1 else SparingHandler()
    in_journal = is_our_stderr(os.environ.get("JOURNAL_STREAM"))
    handler.setFormatter(JournalFormatter() if in_journal else logging.Formatter(_FORMAT, _CLOCK))
    logging.basicConfig(level=logging.DEBUG if verbosity else logging.INFO, handlers=[handler])
    if verbosity < 2:
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        logging.getLogger("mqtt").setLevel(logging.CRITICAL)  # paho-mqtt's: what it says by numbers, we say in words


class SparingHandler(logging.StreamHandler[TextIO]):
    """Writes of each kind of line the first ones, then how often it came: SD cards wear. Who debugs wants every line.

    Lines are of one kind that one statement has logged of one subject: an edge, a camera, a host.
    """

    def __init__(self) -> None:
        super().__init__()
        self._repetition: Repetition[logging.LogRecord] = Repetition()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write what is to be written now. Called with the handler's lock held."""
        if record.levelno < logging.INFO:
            super().emit(record)
            return
        try:
            what, line = (record.levelno, str(record.msg)), self._settled(record)
        except Exception:  # noqa: BLE001  (logging's own way with a line that cannot be formatted)
            self.handleError(record)
            return
        self._write(self._repetition.add_line(record.name, what, subject_of(record), line, time.monotonic()))
        self._wait()

    def close(self) -> None:
        """Write what has not been told yet."""
        with self._locked():
            if self._timer is not None:
                self._timer.cancel()
            self._write(self._repetition.remaining(time.monotonic()))
        super().close()

    def _write(self, told: list[RepeatedLine[logging.LogRecord]]) -> None:
        for each in told:
            super().emit(_summed_up(each) if each.count > 1 else each.line)

    def _settled(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the same line as text alone: kept for hours, an exception would keep all that it came through."""
        line = copy.copy(record)
        line.msg, line.args = record.getMessage(), ()
        if record.exc_info:
            line.exc_text = (self.formatter or logging.Formatter()).formatException(record.exc_info)
            line.exc_info = None
        return line

    def _wait(self) -> None:
        """Have what is due written when its time comes, also when nothing else is logged."""
        due_at = self._repetition.next_due()
        if due_at is not None and self._timer is None:
            self._timer = threading.Timer(max(0.0, due_at - time.monotonic()), self._on_time)
            self._timer.daemon = True
            with contextlib.suppress(RuntimeError):  # no thread can be started any more: the next line does it
                self._timer.start()

    def _on_time(self) -> None:
        with self._locked():
            self._timer = None
            self._write(self._repetition.due(time.monotonic()))
            self._wait()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def subject_of(record: logging.LogRecord) -> str:
    """Return of whom or what a line is: its first argument that is no number, without what differs each time.

    A frame stands for its camera, an address for its host. Where it is another one, a line is logged with
    `extra={SUBJECT: ...}`.
    """
    if (said := getattr(record, SUBJECT, None)) is not None:
        return str(said)
    arguments = record.args if isinstance(record.args, tuple) else ()
    first = next((str(value) for value in arguments if not isinstance(value, int | float)), "")
    subject = _PORT.sub("", _FRAME.sub("", first))
    return _NUMBER.sub("0", subject) if " " in subject else subject  # a sentence, which may count or measure


def _summed_up(told: RepeatedLine[logging.LogRecord]) -> logging.LogRecord:
    record = copy.copy(told.line)
    record.msg, record.exc_text = f"{told.line.msg} ({told.count} times in the last {format_period(told.over_s)})", None
    return record


def format_period(seconds: float) -> str:
    """Return a duration as people say it, in the unit that fits."""
    for unit_s, unit in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return "minute" if seconds > 45 else f"{max(1.0, seconds):.0f} s"
