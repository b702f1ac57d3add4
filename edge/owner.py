"""The owner's side: frames become tasks, tasks are announced and lent out, and come back when they are lost."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.task_queue import Task, TaskQueue
from shared import topics
from shared.frames import FrameInfo, Outcome
from shared.letterbox import Letterbox, Pixels
from shared.messages import FrameDone, TaskAnnouncement, TileDone
from shared.wire.headers import Tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.work import Work
    from shared.bus import Bus

log = logging.getLogger(__name__)

NO_ANSWER_GRACE_S = 5.0
"""The gateway ends every frame by its deadline; an owner that hears nothing so long after gives the frame up."""

CHECK_S = 0.1
"""How often leases and deadlines are looked at; leases last a second or more."""


@dataclass(slots=True)
class OwnedFrame:
    """A frame under way: its picture, its letterboxed pixels, uint8 (H, W, 3) each, and whom to tell its end."""

    info: FrameInfo
    picture: Pixels
    pixels: Pixels
    opened_at: float
    finished: Callable[[Outcome], None]


class Owner:
    """Frames that cameras gave to this edge, from acceptance until the gateway is finished with them.

    `has_work` is called after each announcement of tasks.
    """

    def __init__(self, node: str, bus: Bus, has_work: Callable[[], None]) -> None:
        self._node = node
        self._bus = bus
        self._has_work = has_work
        self._work: Work | None = None
        self._frames: dict[str, OwnedFrame] = {}
        self._preparing = ThreadPoolExecutor(1, "prepare")
        self.queue = TaskQueue(node, lease_s=1.0)

    def adopt(self, work: Work) -> None:
        """A new plan: what was begun under the old one is dropped."""
        self.give_up(Outcome.REPLANNED)
        self._work = work
        self.queue = TaskQueue(self._node, work.plan.lease_s, longest_s=work.plan.deadline_s / 2)

    def give_up(self, outcome: Outcome) -> None:
        """Finish all frames with this outcome."""
        for frame in list(self._frames):
            self._finish(frame, outcome)

    async def accept(self, info: FrameInfo, picture: Pixels, finished: Callable[[Outcome], None]) -> None:
        """Take a picture, uint8 BGR (H, W, 3); `finished` is called once, with what became of it."""
        work = self._work
        if work is None:
            finished(Outcome.NO_PLAN)
            return
        begun = time.monotonic()
        letterbox = Letterbox.of((info.height, info.width), work.plan.input, work.plan.preprocessing)
        pixels = await asyncio.get_running_loop().run_in_executor(
            self._preparing, letterbox.apply, picture, work.plan.preprocessing
        )
        if work is not self._work:
            finished(Outcome.REPLANNED)
            return
        now = time.monotonic()
        info = info.model_copy(update={"prepare_ms": (now - begun) * 1e3})
        self._frames[info.frame] = OwnedFrame(info, picture, pixels, now, finished)
        self.queue.add_frame(info.frame, range(work.tile_count))
        self._announce(opened=info)

    def announce_again(self) -> None:
        """The gateway may have forgotten: say how many tasks wait."""
        if self._work is not None and self.queue.waiting:
            self._announce()

    def pixels_of(self, task: Task) -> tuple[FrameInfo, Pixels] | None:
        """The frame of a task and the tile's view of its pixels; None when the frame is finished."""
        frame = self._frames.get(task.frame)
        if frame is None or self._work is None:
            return None
        return frame.info, frame.pixels[self._work.region(task.tile).slices]

    def lend(self, thief: str, epoch: int) -> tuple[Tile, Pixels] | None:
        """A task for `thief` from the back of the queue: its header and pixels, contiguous; None when there is none."""
        if self._work is None or epoch != self._work.epoch:
            return None
        task = self.queue.lend(thief, time.monotonic())
        if task is None:
            return None
        found = self.pixels_of(task)
        assert found is not None, "a waiting task has its frame"
        info, view = found
        log.debug("%s tile %s lent to %s", task.frame, task.tile, thief)
        header = Tile(
            info=info,
            epoch=epoch,
            owner=self._node,
            tile=task.tile,
            height=view.shape[0],
            width=view.shape[1],
            lease_s=self.queue.current_lease_s,
        )
        return header, np.ascontiguousarray(view)

    def picture(self, frame: str) -> OwnedFrame | None:
        """A frame that is not finished."""
        return self._frames.get(frame)

    def on_tile_done(self, done: TileDone) -> None:
        self.queue.done(Task(done.frame, done.tile), done.compute_ms / 1e3)

    def on_frame_done(self, done: FrameDone) -> None:
        self._finish(done.frame, done.outcome)

    def on_node_lost(self, node: str) -> None:
        """Run again what a lost thief held."""
        self._requeued(self.queue.node_lost(node), f"{node} is gone")

    def put_back(self, task: Task, reason: str) -> None:
        """A task that could not be handed over waits again."""
        if self.queue.put_back(task):
            self._requeued([task], reason)

    async def run(self) -> None:
        """Watch leases and deadlines until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            now = time.monotonic()
            self._requeued(self.queue.expire(now), "its lease ended")
            if self._work is None:
                continue
            oldest = now - self._work.plan.deadline_s - NO_ANSWER_GRACE_S
            for frame in [name for name, owned in self._frames.items() if owned.opened_at < oldest]:
                log.warning("%s: no answer from the gateway; dropped", frame)
                self._finish(frame, Outcome.NO_ANSWER)

    def _requeued(self, tasks: list[Task], reason: str) -> None:
        for task in tasks:
            log.info("%s tile %s will run again: %s", task.frame, task.tile, reason)
        if tasks:
            self._announce()

    def _announce(self, opened: FrameInfo | None = None) -> None:
        assert self._work is not None
        message = TaskAnnouncement(node=self._node, epoch=self._work.epoch, waiting=self.queue.waiting, opened=opened)
        self._bus.post(topics.TASKS, message, self._node)
        self._has_work()

    def _finish(self, frame: str, outcome: Outcome) -> None:
        owned = self._frames.pop(frame, None)
        if owned is None:
            return
        self.queue.drop_frame(frame)
        if outcome is not Outcome.PUBLISHED:
            log.info("%s dropped: %s", frame, outcome)
        owned.finished(outcome)
