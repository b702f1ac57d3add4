"""Counts what the processes of a cluster exchange on the data plane: bytes, unreached addresses, and visitors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shared.wire.unreached import UnreachedAddresses
from shared.wire.visitors import Visitors

if TYPE_CHECKING:
    from shared.security.data_security import DataSecurity


class WireTraffic(Counter[str]):
    """Bytes received on the data plane, by kind of message, and the addresses that could not be reached.

    All connections of a process share one WireTraffic, and with it `security`: the keys of the process and the members
    of its cluster; None without keys, when nothing is encrypted. `visitors` are peers without keys, and refused ones.
    """

    def __init__(self, security: DataSecurity | None = None) -> None:
        super().__init__()
        self.unreached = UnreachedAddresses()
        self.visitors = Visitors()
        self.security = security
