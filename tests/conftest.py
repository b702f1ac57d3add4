"""For all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _state_and_cache(tmp_path_factory):
    """Gateways of tests keep their state, and edges their programs, where no others do.

    All edges of a run share what is prepared of their programs, which takes longer than most tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "MPLCONFIGDIR" not in os.environ:  # or matplotlib would look for all fonts of the machine in each run
            patch.setenv("MPLCONFIGDIR", str(Path("~/.cache/matplotlib").expanduser()))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
