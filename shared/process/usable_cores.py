"""The cores that this process may use, by its scheduling affinity and the CPU quotas of its control groups.

A quota holds for a group and all groups within, so the lowest quota of our own group and its ancestors counts. Control
groups may be hidden: `ip netns exec` mounts another /sys, and a container may do so, too. Then it is not known whether
there is a quota, and the processor time that this process gets is measured.
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
"""A probe lasts this many periods. At the begin of each period a process runs at full speed, until its quota is used
up: with a quota of a fifth of a core, a probe of a single period could measure five times too much."""

ROUNDING_CORES = 0.05
"""A measured share of 1.95 cores counts as two: the probe loses a little to its own start and to other programs."""

MIN_CORES_BESIDE_CAMERAS = 4
"""A device with at least this many cores leaves one of them to its cameras. Decoding the stream of a camera takes a
tenth to a half of a core of a Raspberry Pi, and a tile that shares its core with it delays the whole frame. With fewer
cores, tiles would lose more than cameras gain."""

_PROBE_BLOCK = bytes(64 * 1024)


@dataclass(frozen=True, slots=True)
class UsableCores:
    """The number of cores in this process's affinity, and its quota in cores (None: there is none).

    `measured`: the quota could not be read, so it was measured by a probe. `known` is False if it was not measured
    either.
    """

    affinity: int
    quota: float | None = None
    measured: bool = False
    known: bool = True

    @property
    def cores(self) -> float:
        """Return the processor time that this process gets, in cores."""
        return float(self.affinity) if self.quota is None else min(float(self.affinity), self.quota)

    @property
    def whole(self) -> int:
        """Return the number of threads that can run all the time: `cores` rounded down, and at least one."""
        rounding = ROUNDING_CORES if self.measured else 1e-9
        return max(1, math.floor(self.cores + rounding))


def tightest_quota(groups: GroupFolders, read: ReadFile) -> tuple[bool, float | None]:
    """Return whether all quotas of our groups can be read, and the lowest one in cores (None: there is none)."""
    quotas = []
    for folder in groups.folders:
        if not is_visible(folder, groups.version, read):
            return False, None
        # The topmost group and groups whose parents do not control the processor have no such files.
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
    """Return the cores that this process may use, given the number of cores in its affinity.

    `probe(threads)` measures the cores that this many threads get; None: do not measure. It is called only if there may
    be a quota that cannot be read, and if there is more than one core.
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
    """Return the processor time that this many busy threads get, in cores: their processor time by the elapsed time.

    There must be as many threads as cores: a single thread cannot distinguish a quota of one core from one of four.
    """
    burnt: list[float] = []

    def burn() -> None:
        begun = time.thread_time()
        while time.monotonic() < until:
            hashlib.sha256(_PROBE_BLOCK)  # releases Python's global lock, so that threads run at the same time
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
    """The cores for computing.

    `count` is their number, `usable` the processor time that this process gets, in cores (0: not known). `chosen`: the
    number was set with --threads.
    """

    count: int = 1
    usable: float = 0.0
    chosen: bool = False

    @property
    def is_limited(self) -> bool:
        """Return whether a quota takes time from the cores that this process may run on."""
        return 0 < self.usable < len(os.sched_getaffinity(0))

    def beside_cameras(self, cameras: int) -> int:
        """Return the number of cores that compute on a device with this number of cameras."""
        leaves_one = cameras and not self.chosen and self.count >= MIN_CORES_BESIDE_CAMERAS
        return self.count - 1 if leaves_one else self.count


def choose_cores(usable: UsableCores, threads: int | None, max_cores: int | None) -> ComputingCores:
    """Return the cores for computing: as many as `threads` says, else all usable ones, but at most `max_cores`."""
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
