"""The memory and the time that preparing a program may take: they follow from its size, and the system enforces them.

A program may loop, or ask for any amount of memory, whatever its file looks like. So it is first run in a process of
its own, under these limits; a program that exceeds them is not opened in any other way.
"""

from __future__ import annotations

import contextlib
import math
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from shared.engine.program_manifest import WEIGHTS_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY_BASE_BYTES = 256 * 2**20
"""Memory for the code of onnxruntime that a program begins to use, and for maps of unknown size."""

MEMORY_PER_PROGRAM_BYTE = 8
"""Copies of a program: as it was read, specialised, serialised, loaded, optimised, loaded again. 5 were measured."""

MEMORY_PER_WORKING_BYTE = 8
"""For each kind of tile: several maps are alive at once, and onnxruntime's arenas grow by powers of two. 3 to 5 were
measured."""

TIME_BASE_S = 120.0
"""Time to start Python and onnxruntime, which takes a Raspberry Pi Zero 2 about ten seconds, and to compare speeds."""

TIME_PER_KIND_S = 10.0
"""Time to optimise the graph for one kind of tile, and to open two sessions; 0.05 to 0.5 s on a PC."""

SLOWEST_BYTES_PER_S = 2.5e6
"""For each kind, the weights are copied, hashed and written several times. This also stands for layers whose operations
are not counted, such as those of transformers: their time grows with their weights, too."""

SLOWEST_MACS_PER_S = 0.2e9
"""Multiply-accumulate operations of a network with bad kernels on one core of a Raspberry Pi Zero 2."""

RUNS_OF_A_KIND = 8
"""A tile is computed twice to compare the results, a whole frame a few times more to compare the speed."""

MAX_PROCESSOR_S = 800.0
"""Below PREPARING_TIMEOUT_S of shared.engine.opening, which is wall-clock time and includes other programs."""

GRACE_S = 5
"""At the limit the system sends SIGXCPU, which names the cause, and this much later SIGKILL."""

CRASHES = frozenset({signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})
"""Signals that end a process because of its own error, not by the wish of another process."""

_MEMORY_WORDS = ("failed to allocate memory", "bad_alloc", "bad allocation")
"""Parts of onnxruntime's messages about memory; it has no exception type for them."""


@dataclass(frozen=True, slots=True)
class PreparingLimits:
    """The limits of one process.

    `memory_bytes` may be allocated in addition to the memory of the libraries. `processor_s` is the processor time of
    all threads together.
    """

    memory_bytes: int
    processor_s: float

    @classmethod
    def for_program(cls, program_bytes: int, working_bytes: int, kinds: int, macs: int | None) -> Self:
        """Return the limits for a program of this size, weights included, and `kinds` of tile.

        `working_bytes` as in TileKinds; `macs` are the operations of one tile of each kind, None when not known.
        """
        memory = (
            MEMORY_BASE_BYTES
            + MEMORY_PER_PROGRAM_BYTE * program_bytes
            + MEMORY_PER_WORKING_BYTE * kinds * working_bytes
        )
        if macs is None:
            return cls(memory, MAX_PROCESSOR_S)
        time_s = (
            TIME_BASE_S
            + kinds * (TIME_PER_KIND_S + program_bytes / SLOWEST_BYTES_PER_S)
            + RUNS_OF_A_KIND * macs / SLOWEST_MACS_PER_S
        )
        return cls(memory, min(MAX_PROCESSOR_S, time_s))

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Self:
        """Decode the result of `to_words`."""
        memory, processor = words
        return cls(int(memory), float(processor))

    def to_words(self) -> list[str]:
        """Return the limits as arguments of a command."""
        return [str(self.memory_bytes), str(self.processor_s)]

    def impose(self) -> None:
        """Limit this process from now on, where the system can do it (Linux); call it before the program is opened.

        If the whole machine runs out of memory, this process is the first one that the system ends.
        """
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        seconds = math.ceil(_used_processor_s() + self.processor_s)
        with contextlib.suppress(OSError, ValueError):  # this process has a lower limit already
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + GRACE_S))
        with contextlib.suppress(OSError, ValueError):
            most = _allocated_bytes() + self.memory_bytes
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # counts allocated memory, but not mapped files
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", "ascii")

    @property
    def memory_exceeded(self) -> str:
        """Return the message for a program that asked for more memory than `memory_bytes`."""
        return (
            f"preparing it takes more than {self.memory_bytes / 1e6:.0f} MB of memory, the most for a program of this "
            "size; choose another model at the gateway, or a finer --grid"
        )

    def crash_reason(self, number: int) -> str:
        """Return the message for a program whose process a signal ended; "" if the program may not be the cause."""
        if number == signal.SIGXCPU:
            return (
                f"preparing it takes more than {self.processor_s:.0f} s of the processor, the most for a program of "
                "this size; choose another model at the gateway"
            )
        if number in CRASHES:
            return f"it ends the process that prepares it ({signal.Signals(number).name}); choose another model"
        return ""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of onnxruntime, or of Python, says that memory could not be allocated."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _MEMORY_WORDS)


def program_bytes(program: Path) -> int:
    """Return the size of a program's file, and of the weights beside it that its list names. Raises OSError."""
    size = program.stat().st_size
    listed = program.with_suffix(".list")
    names = listed.read_text("ascii").split() if listed.exists() else ()
    return size + sum((program.parent / f"{name}{WEIGHTS_SUFFIX}").stat().st_size for name in names)


def _used_processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _allocated_bytes() -> int:
    """Return the memory that RLIMIT_DATA counts. Raises OSError, ValueError where the system does not tell."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")]
    if not sizes:
        raise ValueError("no VmData")
    return sizes[0]
