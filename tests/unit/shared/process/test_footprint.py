from __future__ import annotations

from shared.process.footprint import Footprint, parse_footprint

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
