from __future__ import annotations

import mmap
import os
import subprocess

from shared.process.footprint import Footprint, allocated_memory, parse_footprint

ROLLUP = """\
5581a5b5c000-7ffc5d1f5000 ---p 00000000 00:00 0                          [rollup]
Rss:               10248 kB
Pss:                6010 kB
Pss_Dirty:          3000 kB
Shared_Clean:       6000 kB
Shared_Dirty:        100 kB
Private_Clean:       148 kB
Private_Dirty:      4000 kB
Swap:                  0 kB
"""


def test_own_memory_is_what_no_other_process_maps():
    assert parse_footprint(ROLLUP) == Footprint(6010 * 1024, 4148 * 1024)


def test_allocated_memory_grows_with_what_a_process_keeps_also_before_it_is_used():
    before = allocated_memory(os.getpid())
    with mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        assert allocated_memory(os.getpid()) - before >= 50_000_000


def test_a_process_that_has_ended_has_no_memory():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert allocated_memory(process.pid) == 0
    assert allocated_memory(process.pid) == 0
