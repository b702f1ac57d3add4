"""Reads a source in its own thread, in real time or as fast as the cluster computes, and reopens it after failures."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from camera_sources.agent.camera_health import CameraHealth
from camera_sources.agent.mailbox import Mailbox, Shot
from camera_sources.agent.stillness import Stillness
from camera_sources.kinds.lag import LATE_S
from camera_sources.source import LiveSource, NoPictureError, WrongPasswordError
from shared.errors import DeepThingsError, SourceError
from shared.logs.rate_limit import RateLimit
from shared.network.backoff import Backoff
from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from camera_sources.agent.selection import PictureSelection
    from camera_sources.source import Grab, Source
    from shared.model.arrays import Pixels

log = logging.getLogger(__name__)

FIRST_RETRY_S, MAX_RETRY_S = 2.0, 30.0
"""Pauses before a failed camera is opened again; half of each is random: at first 1 to 2 s, in the end 15 to 30 s."""

HANG_GRACE_S = 1.0
"""A source ends its own waits within stale_after; if a call takes this much longer, the source hangs."""

RETRY_REFUSED_S = 300.0
"""Pause after a wrong password: many cameras lock a user out after a few attempts within minutes."""

MAX_BROKEN_IN_A_ROW = 10
"""Undecodable pictures in a row after which the source is opened again, which may help."""

LATE_REMARK_PERIOD_S = 600.0
"""For this time after the last late picture, reports say that this device is too slow."""

MIN_FROZEN_S = 10.0
"""A camera is frozen if it sends the same picture for this time and for stale_after, whichever is longer."""

BROKEN_LOG_PERIOD_S = 60.0
"""Undecodable pictures are logged once in this time."""

T = TypeVar("T")


class SourceReader:
    """Puts the selected pictures of a source into a mailbox, with number and time.

    `frames`: stop after this number (0: never). `loop`: restart a recording at its end. `fps` replaces a recording's
    own rate. `every_frame`: wait for an empty mailbox instead of the clock, so that no picture is superseded.
    `persistent`: reopen a source that fails, for ever. `redact` removes secrets from error messages.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        selection: PictureSelection,
        *,
        loop: bool = False,
        fps: float | None = None,
        frames: int = 0,
        every_frame: bool = False,
        persistent: bool = False,
        stale_after_s: float = 30.0,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.mailbox = Mailbox()
        self.selection = selection
        self.health = CameraHealth(stale_after_s)
        self.captured = 0
        self.live = False
        """True for a camera, False for a recording or before the source is opened."""
        self.error: DeepThingsError | None = None
        self._open = open_source
        self._loop = loop
        self._fps = fps
        self._frames = frames
        self._every_frame = every_frame
        self._persistent = persistent
        self._stale_after_s = stale_after_s
        self._redact = redact
        self._backoff = Backoff(FIRST_RETRY_S, MAX_RETRY_S)
        self.broken = 0
        """Pictures that could not be decoded."""
        self._broken_in_a_row = 0
        self._broken_log = RateLimit(BROKEN_LOG_PERIOD_S)
        self._stillness = Stillness()
        self._refused = False
        self._cpu_s = 0.0
        self._late_until = math.inf
        self._hangs_from = math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._on_shot: Callable[[Shot | None], None] = lambda _: None
        self._on_end: Callable[[], None] = lambda: None

    def start(self, on_shot: Callable[[Shot | None], None], on_end: Callable[[], None]) -> None:
        """Start reading. Both functions are called in the reader's thread.

        `on_shot` is called for each new shot with the one that it supersedes, or None; `on_end` at the end.
        """
        self._on_shot, self._on_end = on_shot, on_end
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; the picture that is just being read may still come."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def hangs(self, now: float) -> bool:
        """Return whether a call into the source takes longer than allowed; `now` in monotonic seconds."""
        return now > self._hangs_from

    def _run(self) -> None:
        try:
            while not self._read_once():
                pause_s = RETRY_REFUSED_S if self._refused else self._backoff.next_s()
                log.debug("trying again in %.1f s", pause_s)
                if self._stop.wait(pause_s):
                    return
        finally:
            self._on_end()

    def _read_once(self) -> bool:
        """Open the source and read it; return False to try again after a pause."""
        try:
            source = self._run_bounded(self._open, self._stale_after_s)
            self.selection.on_opened()
            self.live = isinstance(source, LiveSource)
            self.health.on_opened(live=self.live)
            if isinstance(source, LiveSource):
                self._read_live(source)
            else:
                self._read_recording(source)
        except Exception as error:  # noqa: BLE001  (a source may be third-party code, which may raise anything)
            failure = self._as_failure(error)
            self._refused = isinstance(error, WrongPasswordError)
            note = f"; trying again after {RETRY_REFUSED_S / 60:.0f} min, or the camera may lock the user out"
            self.health.on_failure(str(failure) + (note if self._refused and self._persistent else ""))
            if self._persistent:
                return False
            self.error = failure
        return True

    def _as_failure(self, error: Exception) -> DeepThingsError:
        """Return the error to report, without secrets."""
        # Our own messages contain no secrets, and redacting could remove a word that is also a short password.
        own = isinstance(error, DeepThingsError) and _is_own_error(error)
        text = str(error) if own else self._redact(str(error))
        if isinstance(error, DeepThingsError):
            return error if text == str(error) else type(error)(text)
        return SourceError(f"the source failed: {text or type(error).__name__}")

    def _read_live(self, source: LiveSource) -> None:
        """Read a camera until it fails or the reader is stopped."""
        patience_s = max(self._stale_after_s, source.opening_s)
        with closing(source.grabs()) as grabs:
            while not self._stop.is_set():
                grab = self._run_bounded(lambda: next(grabs, None), patience_s)
                if grab is None:
                    raise SourceError("the stream ended")
                patience_s = self._stale_after_s
                now = time.monotonic()
                self._check_lateness(grab.late_s, now)
                if not self.selection.wants(now):
                    self.health.on_picture(now, None)
                    continue
                picture = self._decode(grab, patience_s)
                if picture is None:
                    continue
                self._check_stillness(picture, now)
                if not self._offer_picture(picture, grab.captured_at, now):
                    return

    def _decode(self, grab: Grab, patience_s: float) -> Pixels | None:
        """Return the decoded picture; None for a broken one. Raises NoPictureError after MAX_BROKEN_IN_A_ROW."""
        try:
            picture = self._run_bounded(grab.decode, patience_s)
        except NoPictureError as error:
            self.broken += 1
            self._broken_in_a_row += 1
            self.health.on_broken_picture(str(error))
            if self._broken_log.allows("broken", time.monotonic()):
                log.warning("a picture of the camera was skipped, %s so far: %s", self.broken, error)
            if self._broken_in_a_row >= MAX_BROKEN_IN_A_ROW:
                self._broken_in_a_row = 0
                raise
            return None
        self._broken_in_a_row = 0
        return picture

    def _check_lateness(self, late_s: float, now: float) -> None:
        if late_s > LATE_S:
            self._late_until = now + LATE_REMARK_PERIOD_S
            self.health.set_remark("late", "this device is too slow for this stream; use the camera's sub-stream")
        elif now > self._late_until:
            self._late_until = math.inf
            self.health.set_remark("late", "")

    def _check_stillness(self, picture: Pixels, now: float) -> None:
        frozen_s = max(self._stale_after_s, MIN_FROZEN_S)
        frozen = self._stillness.equal_for_s(picture, now) >= frozen_s
        self.health.set_remark("frozen", f"the same picture for more than {frozen_s:g} s: it hangs" if frozen else "")

    def _read_recording(self, source: Source) -> None:
        """Read a recording at its frame rate."""
        interval_s = 1 / (self._fps or source.fps)
        begun = time.monotonic()
        for number, picture in enumerate(self._pictures(source)):
            if self._stop.is_set() or not self._wait_for_turn(begun + number * interval_s):
                return
            now = time.monotonic()
            if not self.selection.wants(now):
                self.health.on_picture(now, None)
            elif not self._offer_picture(picture, time.time(), now):
                return

    def _offer_picture(self, picture: Pixels, captured_at: float, now: float) -> bool:
        """Put a picture into the mailbox if it is selected; return False after the last one."""
        _check_picture_size(picture)
        self.health.on_picture(now, (picture.shape[0], picture.shape[1]))
        self._backoff.reset()
        chosen = self.selection.choose(picture, now)
        if chosen is None:
            return True
        cpu_before, self._cpu_s = self._cpu_s, time.thread_time()
        shot = Shot(self.captured, captured_at, chosen, cpu_s=self._cpu_s - cpu_before)
        self.captured += 1
        self._on_shot(self.mailbox.put_shot(shot))
        return self.captured != self._frames

    def _pictures(self, source: Source) -> Iterator[Pixels]:
        """Yield the pictures of a recording, with `loop` again and again, unless it has none."""
        again = True
        while again and not self._stop.is_set():
            again = False
            pictures = source.pictures()
            while (picture := self._run_bounded(lambda: next(pictures, None), self._stale_after_s)) is not None:  # noqa: B023
                yield picture
                again = self._loop

    def _run_bounded(self, step: Callable[[], T], patience_s: float) -> T:
        """Return the result of a call that may hang; `hangs` returns True if it takes longer than `patience_s`."""
        self._hangs_from = time.monotonic() + patience_s + HANG_GRACE_S
        try:
            return step()
        finally:
            self._hangs_from = math.inf

    def _wait_for_turn(self, due: float) -> bool:
        """Wait until the picture is due; return False when the reader is stopped."""
        if self._every_frame:
            while not self.mailbox.wait_until_empty(0.1):
                if self._stop.is_set():
                    return False
            return not self._stop.is_set()
        return not self._stop.wait(max(0.0, due - time.monotonic()))


def _is_own_error(error: BaseException) -> bool:
    """Return whether this package raised an error, and not a third-party source."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("camera_sources.")


def _check_picture_size(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    if max(height, width) > MAX_PICTURE_SIDE or picture.nbytes > MAX_PAYLOAD_BYTES[MessageKind.FRAME]:
        raise SourceError(
            f"a picture of {width}x{height} pixels is too large: at most {MAX_PICTURE_SIDE} pixels a side, and "
            f"{MAX_PAYLOAD_BYTES[MessageKind.FRAME] // 2**20} MiB in all; make the pictures smaller"
        )
