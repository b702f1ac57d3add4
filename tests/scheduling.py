"""In which order, and in which process, tests run when several processes run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

CLUSTERS = "tests/cluster/"
SHARED = {f"{CLUSTERS}test_bench.py", f"{CLUSTERS}test_network.py"}
"""Files whose tests share what takes long to make, or addresses of a network."""


def scope_of(nodeid: str) -> str:
    """Return with which others a test must run: those of its file, as what fixtures start is shared, or none."""
    file = nodeid.partition("::")[0]
    return nodeid if file.startswith(CLUSTERS) and file not in SHARED else file


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # its base has no types
    """Hands out tests in the order of their files: first those with clusters, which take longest, short ones last.

    So all processes end at about the same time.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
