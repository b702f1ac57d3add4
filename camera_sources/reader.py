"""Reading a source in a thread of its own, at the pace of real time or of the cluster."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from camera_sources.mailbox import Mailbox, Shot
from shared.errors import DeepThingsError, SourceError
from shared.frames import LONGEST_SIDE
from shared.wire.codec import MIB, PAYLOAD_CAP_BYTES, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from camera_sources.source import Source
    from shared.letterbox import Pixels


class Reader:
    """Puts every picture of a source into a mailbox, numbered and stamped.

    `frames` ends it after so many (0: never), `loop` begins again at the end, `fps` replaces the source's own rate.
    With `every_frame` it waits for the mailbox instead of the clock, so that no picture is superseded.
    """

    def __init__(
        self,
        source: Source,
        *,
        loop: bool = False,
        fps: float | None = None,
        frames: int = 0,
        every_frame: bool = False,
    ) -> None:
        self.mailbox = Mailbox()
        self.captured = 0
        self.error: DeepThingsError | None = None
        self._source = source
        self._loop = loop
        self._interval_s = 1 / (fps or source.fps)
        self._frames = frames
        self._every_frame = every_frame
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

    def _run(self) -> None:
        try:
            self._read()
        except DeepThingsError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001  (a source may be anybody's code: its failure is no end)
            self.error = SourceError(f"the source failed: {error}")
        finally:
            self._on_end()

    def _read(self) -> None:
        begun = time.monotonic()
        for number, picture in enumerate(self._pictures()):
            if self._stop.is_set() or not self._wait_for_turn(begun + number * self._interval_s):
                return
            _refuse_too_large(picture)
            self.captured = number + 1
            self._on_shot(self.mailbox.put(Shot(number, time.time(), picture)))
            if number + 1 == self._frames:
                return

    def _pictures(self) -> Iterator[Pixels]:
        again = True
        while again and not self._stop.is_set():
            again = False
            for picture in self._source.pictures():
                yield picture
                again = self._loop

    def _wait_for_turn(self, due: float) -> bool:
        """Until the picture is due; False when it is time to stop."""
        if self._every_frame:
            while not self.mailbox.wait_until_empty(0.1):
                if self._stop.is_set():
                    return False
            return not self._stop.is_set()
        return not self._stop.wait(max(0.0, due - time.monotonic()))


def _refuse_too_large(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    if max(height, width) > LONGEST_SIDE or picture.nbytes > PAYLOAD_CAP_BYTES[Kind.FRAME]:
        raise SourceError(
            f"a picture of {width}x{height} pixels is too large: at most {LONGEST_SIDE} a side, and "
            f"{PAYLOAD_CAP_BYTES[Kind.FRAME] // MIB} MiB in all; make the pictures smaller"
        )
