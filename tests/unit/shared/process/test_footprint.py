from __future__ import annotations

import os

from shared.process.footprint import Footprint, memory_in_use, parse_footprint

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


def test_memory_in_use_grows_with_what_a_process_keeps():
    before = memory_in_use(os.getpid())
    kept = b"x" * 50_000_000
    assert memory_in_use(os.getpid()) - before > 40_000_000
    assert len(kept) == 50_000_000


def test_memory_of_a_process_that_has_ended_is_not_known():
    assert memory_in_use(2**22 + 1) is None
