"""For tests of clusters."""

from __future__ import annotations

import pytest

from tests.namespaces import three_hosts


@pytest.fixture
def hosts():
    """Commands that run another command on host 1, 2 or 3; host N has the address 10.77.3.N."""
    with three_hosts() as commands:
        yield commands
