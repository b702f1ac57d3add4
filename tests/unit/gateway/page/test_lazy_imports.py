"""A gateway at which nobody looks, and an edge that nobody scrapes, have loaded no web server and no metrics."""

import subprocess
import sys

import pytest

LATE = ("starlette", "uvicorn", "prometheus_client", "h11", "zeroconf")


@pytest.mark.parametrize("module", ["gateway.service", "edge.command"])
def test_they_are_not_imported_at_the_start(module):
    code = f"import sys, {module}; print(*sorted(set({LATE!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
