from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.scale.process_trees import (
    busy_seconds_in,
    cpu_seconds_in,
    machine_cpu_seconds,
    process_tree,
    proportional_bytes,
    proportional_in,
    tree_cpu_seconds,
)

HERTZ = os.sysconf("SC_CLK_TCK")


def test_a_process_and_those_below_it():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        tree = process_tree(os.getpid())
        assert tree[0] == os.getpid()
        assert child.pid in tree
        assert process_tree(child.pid) == [child.pid]
        child.communicate(b"\n")
    assert child.pid not in process_tree(os.getpid())


def test_proportional_memory_is_read_in_bytes():
    assert proportional_in("00-ff ---p 00000000 00:00 0 [rollup]\nRss: 9000 kB\nPss: 3 kB\nPss_Dirty: 1 kB\n") == 3072
    assert proportional_in("") == 0
    assert proportional_bytes(os.getpid()) > 10_000_000
    assert proportional_bytes(2**30) == 0


def test_processor_time_has_that_of_ended_children():
    fields = ["S", "1", *["0"] * 9, "100", "20", "3", "4", "0"]
    assert cpu_seconds_in(fields) == 127 / HERTZ
    assert cpu_seconds_in([]) == 0
    assert tree_cpu_seconds(os.getpid()) > 0


def test_processor_time_of_the_machine_has_no_idle_time():
    assert busy_seconds_in("cpu  10 20 30 1000 500 1 2 9 0 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n") == 63 / HERTZ
    assert machine_cpu_seconds() > 0
