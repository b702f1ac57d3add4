"""Pictures in memory that a camera agent shares with an edge on the same machine, instead of sending them.

The agent makes an anonymous file (memfd_create(2)) with a name that nobody can guess, and sends its process id, the
file's descriptor and the name to the edge. The edge opens /proc/PID/fd/N and checks the name, so an agent on another
machine, or one that sends a false process id, cannot make the edge read anything. The kernel frees the file when all
processes that have it open have ended, for whatever reason. The file is sealed against shrinking, so reading from it
cannot fail, whatever the agent does. A picture stays until the edge has released it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import sys
import weakref
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ProtocolError
from shared.wire.camera_headers import MAX_SHARED_PICTURES, SharedMemory
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind

if TYPE_CHECKING:
    from shared.model.arrays import Pixels
    from shared.payloads.frames import FrameInfo

MAX_SHARED_BYTES = MAX_SHARED_PICTURES * MAX_PAYLOAD_BYTES[MessageKind.FRAME]
"""The largest shared memory that an edge maps: all pictures of the largest size that it accepts."""


class SharedPictureWriter:
    """The agent's side: MAX_SHARED_PICTURES places for pictures, all of one size; unused places take no memory."""

    def __init__(self) -> None:
        """Make the memory. Raises OSError where the system has no such memory."""
        if sys.platform != "linux":
            raise OSError("only Linux has anonymous files")
        self._name = f"deepthings-{secrets.token_hex(16)}"
        self._file = os.memfd_create(self._name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        except OSError:
            os.close(self._file)
            raise
        self._place_bytes = 0
        self._map: mmap.mmap | None = None
        self._places: dict[int, int] = {}

    @property
    def memory(self) -> SharedMemory:
        """Return what an edge needs to open the memory."""
        return SharedMemory(process=os.getpid(), file=self._file, name=self._name)

    def put_picture(self, number: int, picture: Pixels) -> int | None:
        """Copy the picture of frame `number` into a free place, and return its offset; None when no place is free."""
        if picture.nbytes > self._place_bytes:
            if self._places:  # the places can be made larger only when all of them are free
                return None
            self._place_bytes = -(-picture.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        taken = self._places.values()
        place = next((place for place in range(MAX_SHARED_PICTURES) if place not in taken), None)
        if place is None:
            return None
        offset = place * self._place_bytes
        try:
            memory = self._memory_until(offset + self._place_bytes)
        except OSError:
            return None
        np.copyto(np.frombuffer(memory, np.uint8, picture.nbytes, offset).reshape(picture.shape), picture)
        self._places[number] = place
        return offset

    def release(self, number: int) -> None:
        """Free the place of frame `number`, which the edge has finished reading."""
        self._places.pop(number, None)

    def close(self) -> None:
        """Close the memory; an edge that still reads a picture keeps it open."""
        os.close(self._file)
        self._map = None

    def _memory_until(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            os.ftruncate(self._file, max(size, os.fstat(self._file).st_size))
            self._map = mmap.mmap(self._file, 0)
        return self._map


class SharedPictureReader:
    """The edge's side: arrays over an agent's memory. A picture counts as released when nothing refers to it."""

    def __init__(self, memory: SharedMemory) -> None:
        """Open an agent's memory. Raises OSError when it cannot be opened, has another name, or could shrink."""
        if sys.platform != "linux":
            raise OSError("only Linux has anonymous files")
        path = f"/proc/{memory.process}/fd/{memory.file}"
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        if not (_is_named(self._file, memory.name) and _never_shrinks(self._file)):
            os.close(self._file)
            raise OSError(f"{path} is not memory of that agent on this machine")
        self._map: mmap.mmap | None = None
        self._released: deque[int] = deque()

    def picture(self, info: FrameInfo, offset: int) -> Pixels:
        """Return a frame's picture at this offset, uint8 BGR (H, W, 3), read-only and not copied.

        Raises ProtocolError when it is not within the memory.
        """
        size = info.height * info.width * 3
        pixels = np.frombuffer(self._memory_until(offset + size), np.uint8, size, offset)
        # All views refer to this array, so it is finalized when no part of the picture is in use.
        weakref.finalize(pixels, self._released.append, info.number).atexit = False
        return pixels.reshape(info.height, info.width, 3)

    def take_released(self) -> tuple[int, ...]:
        """Return the numbers of the frames whose pictures were released since the last call."""
        released: list[int] = []
        while self._released and len(released) < MAX_SHARED_PICTURES:
            released.append(self._released.popleft())
        return tuple(released)

    def close(self) -> None:
        """Close the memory for new pictures; pictures that are still in use stay readable."""
        os.close(self._file)
        self._map = None

    def _memory_until(self, end: int) -> mmap.mmap:
        if self._map is None or len(self._map) < end:
            size = os.fstat(self._file).st_size
            if not end <= size <= MAX_SHARED_BYTES:
                raise ProtocolError(f"a picture until byte {end} of a shared memory of {size} bytes")
            try:
                self._map = mmap.mmap(self._file, size, prot=mmap.PROT_READ)
            except OSError as error:
                raise ProtocolError(f"a shared memory of {size} bytes cannot be mapped: {error}") from error
        return self._map


def _is_named(file: int, name: str) -> bool:
    """Return whether an open file is anonymous and has this name."""
    return str(Path(f"/proc/self/fd/{file}").readlink()).removesuffix(" (deleted)") == f"/memfd:{name}"


def _never_shrinks(file: int) -> bool:
    """Return whether an open file is sealed against shrinking; only anonymous files can be."""
    try:
        return bool(fcntl.fcntl(file, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK)
    except OSError:
        return False
