"""For all tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory):
    """Gateways of tests keep their state where no other gateway does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
