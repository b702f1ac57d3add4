from __future__ import annotations

import math
import sys

import pytest

from shared.process.idle_code import unchanged_code, unmap_idle_code

ANONYMOUS = "Size: 8 kB\nRss: 8 kB\nPss: 4 kB\nAnonymous: {} kB\nVmFlags: rd mr mw me\n"


def _mapping(bounds: str, permissions: str, file: str, anonymous_kb: int = 0) -> str:
    path = f"                  {file}" if file else ""
    return f"{bounds} {permissions} 00001000 fe:01 1234{path}\n" + ANONYMOUS.format(anonymous_kb)


def _found(smaps: str) -> list[tuple[int, int]]:
    return list(unchanged_code(smaps.splitlines()))


LIBRARY = "/usr/lib/python3/site-packages/a folder/cv2.abi3.so"


@pytest.mark.parametrize("permissions", ["r-xp", "r--p"])
@pytest.mark.parametrize("file", [LIBRARY, "/usr/lib/libstdc++.so.6.0.30"])
def test_code_and_constants_of_a_library_are_found(permissions, file):
    assert _found(_mapping("7f0001000-7f0003000", permissions, file)) == [(0x7F0001000, 0x7F0003000)]


@pytest.mark.parametrize("permissions", ["rw-p", "r--s", "---p", "rwxp"])
def test_memory_that_is_written_or_shared_stays(permissions):
    assert _found(_mapping("1000-3000", permissions, LIBRARY)) == []


def test_pages_that_the_loader_has_changed_stay():
    assert _found(_mapping("1000-3000", "r--p", LIBRARY, anonymous_kb=4)) == []


@pytest.mark.parametrize("file", ["", "[heap]", "[vdso]", "/usr/lib/locale/locale-archive", "/home/so.so/weights.bin"])
def test_other_memory_stays_also_behind_a_library(file):
    smaps = _mapping("1000-3000", "r--p", LIBRARY, anonymous_kb=4) + _mapping("4000-5000", "r--p", file)
    assert _found(smaps) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_a_process_goes_on_after_its_code_was_unmapped():
    unmap_idle_code()
    assert math.isqrt(10**20) == 10**10
    assert f"{1.5:.3f}" == "1.500"
