"""The cores that this process may really use: its scheduling affinity and the CPU quotas of its control groups.

A quota holds for a group and everything inside it, so the tightest one of our own group and its ancestors counts.
Control groups may be hidden: `ip netns exec` mounts another /sys, and a container may do so. Then it is not known
whether there is a quota, and the share that we get is measured.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.process.control_groups import find_groups, is_visible, read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.process.control_groups import GroupFolders, ReadFile

log = logging.getLogger(__name__)

QUOTA_PERIOD_S = 0.1
"""The kernel's default period of a CPU quota; container engines and systemd use it too."""

PROBE_PERIODS = 20
"""A probe lasts this many periods. At the start of one a process runs without a brake: a probe of a fifth of a core
that lasts a single period may read five times too much."""

ROUNDING_CORES = 0.05
"""A measured share of 1.95 cores counts as two: the probe loses a little to its own start and to other programs."""

MIN_CORES_BESIDE_CAMERAS = 4
"""A device with this many cores leaves one of them to its cameras. Decoding a camera takes a tenth to a half of a core
of a Raspberry Pi; a tile that shares its core with it holds up the whole frame. With fewer cores, one of them is worth
more for tiles than what cameras would gain."""

_PROBE_BLOCK = bytes(64 * 1024)


@dataclass(frozen=True, slots=True)
class UsableCores:
    """The cores of the affinity of this process, and its quota in cores (None: there is none).

    `measured`: the quota could not be read, and is what a probe got. `known` is False if it was not probed either.
    """

    affinity: int
    quota: float | None = None
    measured: bool = False
    known: bool = True

    @property
    def cores(self) -> float:
        """Return how many cores' time this process gets."""
        return float(self.affinity) if self.quota is None else min(float(self.affinity), self.quota)

    @property
    def whole(self) -> int:
        """Return how many threads can run all the time: at least one, never more than the quota's whole cores."""
        rounding = ROUNDING_CORES if self.measured else 1e-9
        return max(1, math.floor(self.cores + rounding))


def tightest_quota(groups: GroupFolders, read: ReadFile) -> tuple[bool, float | None]:
    """Return whether all quotas of our groups can be read, and the tightest one in cores; None without a quota."""
    quotas = []
    for folder in groups.folders:
        if not is_visible(folder, groups.version, read):
            return False, None
        # The topmost group has no such files, nor has one that its parent does not limit.
        if groups.version == 2:
            words = (read(folder / "cpu.max") or "max").split()
        else:
            words = [(read(folder / f"cpu.cfs_{name}_us") or "-1").strip() for name in ("quota", "period")]
        if words[0] not in {"max", "-1"}:
            try:
                amount, period = map(int, words)
                quotas.append(amount / period)
            except (ValueError, ZeroDivisionError):
                return False, None
    return True, min(quotas, default=None)


def find_usable_cores(affinity: int, read: ReadFile, probe: Callable[[int], float] | None) -> UsableCores:
    """Return the cores that this process may use; `probe` measures how many it gets, with so many threads.

    It is called only when there may be a quota that cannot be read, and more than one core. None: do not measure.
    """
    own, mounts = read(Path("/proc/self/cgroup")), read(Path("/proc/self/mountinfo"))
    if own is not None:
        groups = find_groups(own, mounts or "", "cpu")
        known, quota = tightest_quota(groups, read) if groups is not None else (False, None)
        if known:
            return UsableCores(affinity, quota)
    elif read(Path("/proc/self/stat")) is not None:  # a kernel without control groups has no quotas
        return UsableCores(affinity)
    if probe is None or affinity == 1:
        return UsableCores(affinity, known=False)
    return UsableCores(affinity, probe(affinity), measured=True)


def usable_cores(*, probing: bool = True) -> UsableCores:
    """Return the cores that this process may use. With `probing`, this takes 2 s where control groups are hidden."""
    if sys.platform != "linux":
        return UsableCores(os.cpu_count() or 1)
    return find_usable_cores(len(os.sched_getaffinity(0)), read_text, probe_cores if probing else None)


def probe_cores(threads: int, duration_s: float = PROBE_PERIODS * QUOTA_PERIOD_S) -> float:
    """Return how many cores this process gets while it burns CPU time in so many threads: their CPU time by the clock.

    One thread cannot tell a quota of one core from one of four, hence as many threads as there are cores.
    """
    burnt: list[float] = []

    def burn() -> None:
        begun = time.thread_time()
        while time.monotonic() < until:
            hashlib.sha256(_PROBE_BLOCK)  # releases Python's lock, so that threads run at the same time
        burnt.append(time.thread_time() - begun)

    start = time.monotonic()
    until = start + duration_s
    burning = [threading.Thread(target=burn, name="probe") for _ in range(threads)]
    for thread in burning:
        thread.start()
    for thread in burning:
        thread.join()
    return sum(burnt) / max(1e-6, time.monotonic() - start)


@dataclass(frozen=True, slots=True)
class ComputingCores:
    """The cores for computing: `count` of them, of `usable` cores' time (0: not known); `chosen` by a person or not."""

    count: int = 1
    usable: float = 0.0
    chosen: bool = False

    @property
    def is_limited(self) -> bool:
        """Return whether a quota takes time from the cores that this process may run on."""
        return 0 < self.usable < len(os.sched_getaffinity(0))

    def beside_cameras(self, cameras: int) -> int:
        """Return how many of them compute on a device with so many cameras."""
        leaves_one = cameras and not self.chosen and self.count >= MIN_CORES_BESIDE_CAMERAS
        return self.count - 1 if leaves_one else self.count


def choose_cores(usable: UsableCores, threads: int | None, max_cores: int | None) -> ComputingCores:
    """Return the cores for computing: `threads` if given by a person, else what is usable; at most `max_cores`."""
    wanted = usable.whole if threads is None else threads
    count = wanted if max_cores is None else min(wanted, max_cores)
    return ComputingCores(count, usable.cores if usable.known else 0.0, chosen=threads is not None)


def computing_cores(threads: int | None, max_cores: int | None = None) -> ComputingCores:
    """Return the cores for computing in this process; see choose_cores. It may take 2 s, see usable_cores."""
    usable = usable_cores(probing=threads is None and max_cores != 1)
    chosen = choose_cores(usable, threads, max_cores)
    if usable.known and chosen.count > usable.whole:
        log.warning(
            "%s computing threads share %.2g cores, as --threads says; they wait for one another, and %s would be "
            "faster", chosen.count, usable.cores, usable.whole,
        )  # fmt: skip
    return chosen
