"""Reading a source in a thread of its own, at the pace of real time or of the cluster; again when it fails."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from camera_sources.agent.camera_health import Health
from camera_sources.agent.mailbox import Mailbox, Shot
from camera_sources.agent.stillness import Stillness
from camera_sources.kinds.lag import LATE_S
from camera_sources.source import LiveSource, NoPictureError, WrongPasswordError
from shared.errors import DeepThingsError, SourceError
from shared.logs.rate_limit import RateLimit
from shared.network.backoff import Backoff
from shared.payloads.frames import LONGEST_SIDE
from shared.wire.codec import _MIB, MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from camera_sources.agent.selection import Selection
    from camera_sources.source import Grab, Source
    from shared.model.arrays import Pixels

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0
"""Half of a pause is random: a camera that fails is tried again after 1 to 2 s first, 15 to 30 s in the end."""

GRACE_S = 1.0
"""A source ends its own waits by stale_after; one that is so much later hangs."""

REFUSED_PAUSE_S = 300.0
"""After a wrong password: many cameras lock a user out who sends it some times within a few minutes."""

BROKEN_CAP = 10
"""Pictures in a row that cannot be decoded; after these the source is opened again, which may help."""

LATE_REMARK_S = 600.0
"""For so long after its last late picture a camera is told to be too much for this device."""

LEAST_FROZEN_S = 10.0
"""The same picture for that long, or for stale_after, is not that of a scene."""

BROKEN_LOG_S = 60.0
"""How often it is logged that some cannot be decoded."""

T = TypeVar("T")


class Reader:
    """Puts the pictures of a source that are wanted into a mailbox, numbered and stamped.

    `frames` ends it after so many (0: never), `loop` begins a recording again at its end, `fps` replaces its own rate.
    With `every_frame` it waits for the mailbox instead of the clock, so that no picture is superseded. `persistent`: a
    source that fails is opened again, for ever. `hide` takes secrets out of what is told.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        selection: Selection,
        *,
        loop: bool = False,
        fps: float | None = None,
        frames: int = 0,
        every_frame: bool = False,
        persistent: bool = False,
        stale_after_s: float = 30.0,
        hide: Callable[[str], str] = str,
    ) -> None:
        self.mailbox = Mailbox()
        self.selection = selection
        self.health = Health(stale_after_s)
        self.captured = 0
        self.live = False
        """Whether its pictures are of now; not known before it is opened."""
        self.error: DeepThingsError | None = None
        self._open = open_source
        self._loop = loop
        self._fps = fps
        self._frames = frames
        self._every_frame = every_frame
        self._persistent = persistent
        self._stale_after_s = stale_after_s
        self._hide = hide
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self.broken = 0
        """Pictures that could not be decoded."""
        self._broken_in_a_row = 0
        self._broken_log = RateLimit(BROKEN_LOG_S)
        self._stillness = Stillness()
        self._refused = False
        self._late_until = math.inf
        self._hangs_from = math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._on_shot: Callable[[Shot | None], None] = lambda _: None
        self._on_end: Callable[[], None] = lambda: None

    def start(self, on_shot: Callable[[Shot | None], None], on_end: Callable[[], None]) -> None:
        """Begin. Both are called in the reader's thread: `on_shot` with the superseded shot, if any; `on_end` last."""
        self._on_shot, self._on_end = on_shot, on_end
        self._thread.start()

    def stop(self) -> None:
        """End soon; a picture that is being read may still come."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def hangs(self, now: float) -> bool:
        """Whether the source has been waited for longer than it may take; `now` is of the monotonic clock."""
        return now > self._hangs_from

    def _run(self) -> None:
        try:
            while not self._play():
                pause_s = REFUSED_PAUSE_S if self._refused else self._backoff.next_s()
                log.debug("trying again in %.1f s", pause_s)
                if self._stop.wait(pause_s):
                    return
        finally:
            self._on_end()

    def _play(self) -> bool:
        """Open the source and read it; whether that was all."""
        try:
            source = self._timed(self._open, self._stale_after_s)
            self.selection.begin()
            self.live = isinstance(source, LiveSource)
            self.health.opened(live=self.live)
            if isinstance(source, LiveSource):
                self._watch(source)
            else:
                self._play_back(source)
        except Exception as error:  # noqa: BLE001  (a source may be anybody's code: its failure is no end)
            failure = self._failure(error)
            self._refused = isinstance(error, WrongPasswordError)
            again = f"; trying again after {REFUSED_PAUSE_S / 60:.0f} min, lest the camera locks the user out"
            self.health.failed(str(failure) + (again if self._refused and self._persistent else ""))
            if self._persistent:
                return False
            self.error = failure
        return True

    def _failure(self, error: Exception) -> DeepThingsError:
        """Return what is said about it, without secrets."""
        ours = isinstance(error, DeepThingsError) and _raised_here(error)
        said = str(error) if ours else self._hide(str(error))  # ours has no secret, but may have a word that is one
        if isinstance(error, DeepThingsError):
            return error if said == str(error) else type(error)(said)
        return SourceError(f"the source failed: {said or type(error).__name__}")

    def _watch(self, source: LiveSource) -> None:
        """Read a camera until it fails or it is time to stop."""
        patience_s = max(self._stale_after_s, source.opening_s)
        with closing(source.grabs()) as grabs:
            while not self._stop.is_set():
                grab = self._timed(lambda: next(grabs, None), patience_s)
                if grab is None:
                    raise SourceError("the stream ended")
                patience_s = self._stale_after_s
                now = time.monotonic()
                self._notice_lateness(grab.late_s, now)
                if not self.selection.wants(now):
                    self.health.picture(now, None)
                    continue
                picture = self._decoded(grab, patience_s)
                if picture is None:
                    continue
                self._notice_stillness(picture, now)
                if not self._take(picture, grab.captured_at, now):
                    return

    def _decoded(self, grab: Grab, patience_s: float) -> Pixels | None:
        """Return the picture; None for a broken one, which ends nothing unless many of them come in a row."""
        try:
            picture = self._timed(grab.decode, patience_s)
        except NoPictureError as error:
            self.broken += 1
            self._broken_in_a_row += 1
            self.health.broken(str(error))
            if self._broken_log.allows("broken", time.monotonic()):
                log.warning("a picture of the camera was passed over, %s so far: %s", self.broken, error)
            if self._broken_in_a_row >= BROKEN_CAP:
                self._broken_in_a_row = 0
                raise
            return None
        self._broken_in_a_row = 0
        return picture

    def _notice_lateness(self, late_s: float, now: float) -> None:
        if late_s > LATE_S:
            self._late_until = now + LATE_REMARK_S
            self.health.remark("late", "this device is too slow for this stream; use the camera's sub-stream")
        elif now > self._late_until:
            self._late_until = math.inf
            self.health.remark("late", "")

    def _notice_stillness(self, picture: Pixels, now: float) -> None:
        frozen_s = max(self._stale_after_s, LEAST_FROZEN_S)
        frozen = self._stillness.seconds(picture, now) >= frozen_s
        self.health.remark("frozen", f"the same picture for more than {frozen_s:g} s: it hangs" if frozen else "")

    def _play_back(self, source: Source) -> None:
        """Play a recording at its pace."""
        interval_s = 1 / (self._fps or source.fps)
        begun = time.monotonic()
        for number, picture in enumerate(self._pictures(source)):
            if self._stop.is_set() or not self._wait_for_turn(begun + number * interval_s):
                return
            now = time.monotonic()
            if not self.selection.wants(now):
                self.health.picture(now, None)
            elif not self._take(picture, time.time(), now):
                return

    def _take(self, picture: Pixels, captured_at: float, now: float) -> bool:
        """Have a picture sent on if it is wanted; False when it was the last."""
        _refuse_too_large(picture)
        self.health.picture(now, (picture.shape[0], picture.shape[1]))
        self._backoff.reset()
        chosen = self.selection.choose(picture, now)
        if chosen is None:
            return True
        shot = Shot(self.captured, captured_at, chosen)
        self.captured += 1
        self._on_shot(self.mailbox.put(shot))
        return self.captured != self._frames

    def _pictures(self, source: Source) -> Iterator[Pixels]:
        again = True
        while again and not self._stop.is_set():
            again = False
            pictures = source.pictures()
            while (picture := self._timed(lambda: next(pictures, None), self._stale_after_s)) is not None:  # noqa: B023
                yield picture
                again = self._loop

    def _timed(self, step: Callable[[], T], patience_s: float) -> T:
        """What may hang, under the eyes of whoever asks `hangs`."""
        self._hangs_from = time.monotonic() + patience_s + GRACE_S
        try:
            return step()
        finally:
            self._hangs_from = math.inf

    def _wait_for_turn(self, due: float) -> bool:
        """Until the picture is due; False when it is time to stop."""
        if self._every_frame:
            while not self.mailbox.wait_until_empty(0.1):
                if self._stop.is_set():
                    return False
            return not self._stop.is_set()
        return not self._stop.wait(max(0.0, due - time.monotonic()))


def _raised_here(error: BaseException) -> bool:
    """Return whether this package has raised an error, and not a source of others."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("camera_sources.")


def _refuse_too_large(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    if max(height, width) > LONGEST_SIDE or picture.nbytes > MAX_PAYLOAD_BYTES[MessageKind.FRAME]:
        raise SourceError(
            f"a picture of {width}x{height} pixels is too large: at most {LONGEST_SIDE} a side, and "
            f"{MAX_PAYLOAD_BYTES[MessageKind.FRAME] // _MIB} MiB in all; make the pictures smaller"
        )
