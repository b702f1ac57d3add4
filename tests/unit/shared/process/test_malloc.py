from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from shared.process.footprint import allocated_memory
from shared.process.malloc import return_large_blocks
if sys.argv[1] == "returned":
    return_large_blocks()
del [bytearray(20_000_000)][:]  # after that, smaller blocks would be kept
before, kept = allocated_memory(os.getpid()), []
for _ in range(10):
    large = bytearray(2_000_000)
    kept.append(bytearray(2_000))  # behind it
    del large
    kept.append(bytearray(1_900_000))
    kept.append(bytearray(2_000))
del kept[1::3]
print(allocated_memory(os.getpid()) - before)
"""


def growth(what):
    command = [sys.executable, "-c", PROGRAM, what]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no glibc")
def test_freed_blocks_between_small_ones_go_back_to_the_system():
    assert growth("returned") < 2_000_000 < growth("kept")
