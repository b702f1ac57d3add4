"""A person at a terminal for tests: a command whose own terminal is a pseudo terminal, read and typed into."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING

from tests.commands import DEEPTHINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERRUPT = b"\x03"
"""What Ctrl-C types."""

PATIENCE_S = 5.0
"""Until a person types Ctrl-C again."""


class Terminal:
    """What was shown so far is `shown`; each answer waits for its question in what came since the one before."""

    def __init__(self, *words: str, cwd: Path) -> None:
        self.shown = ""
        self._looked_at = 0
        self._leader, terminal = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *words], stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd
        )
        os.close(terminal)

    def until(self, words: str, timeout_s: float = 40) -> None:
        """Wait until this has been shown."""
        end = time.monotonic() + timeout_s
        while words not in self.shown[self._looked_at :]:
            left_s = end - time.monotonic()
            assert left_s > 0, f"{words!r} was not shown, but {self.shown}"
            assert self._read(left_s), f"{words!r} was not shown before the end, but {self.shown}"
        self._looked_at = self.shown.index(words, self._looked_at) + len(words)

    def answer(self, question: str, text: str = "") -> None:
        """Type a line when it is asked for; an empty one takes what is proposed."""
        self.until(question)
        os.write(self._leader, f"{text}\n".encode())

    def interrupt(self, times: int = 5) -> int:
        """Type Ctrl-C, and return the exit code of the command.

        It is typed again when nothing comes of it: Python can miss one in the moment before it begins to read.
        """
        for _ in range(times):
            os.write(self._leader, INTERRUPT)
            with contextlib.suppress(AssertionError):
                return self.end(PATIENCE_S)
        return self.end(PATIENCE_S)

    def end(self, timeout_s: float = 40) -> int:
        """Wait for the end of the command, and return its exit code."""
        end = time.monotonic() + timeout_s
        while self._read(max(0.1, end - time.monotonic())):
            assert time.monotonic() < end, f"it does not end: {self.shown}"
        return self.process.wait(max(0.1, end - time.monotonic()))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._leader)

    def _read(self, within_s: float) -> bool:
        """Take in what is shown next. Return whether there may be more."""
        if not select.select([self._leader], [], [], within_s)[0]:
            return True
        with contextlib.suppress(OSError):  # nobody has the terminal open any more
            more = os.read(self._leader, 65536)
            self.shown += more.decode(errors="replace").replace("\r\n", "\n")
            return bool(more)
        return False


@contextlib.contextmanager
def at_terminal(*arguments: str, cwd: Path) -> Iterator[Terminal]:
    """`deepthings ARGUMENTS...` at a terminal, for as long as the context lasts."""
    terminal = Terminal(DEEPTHINGS, *arguments, cwd=cwd)
    try:
        yield terminal
    finally:
        terminal.close()
