"""Lists the peers that an edge could not reach, for its report."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.payloads.cluster import MAX_REASON_LENGTH, UnreachedPeer

if TYPE_CHECKING:
    from shared.wire.wire_traffic import WireTraffic


def unreached_peers(traffic: WireTraffic, now: float) -> tuple[UnreachedPeer, ...]:
    """Return the peers that `traffic` has recently failed to reach; `now` in monotonic seconds.

    Invalid addresses, which come from faulty messages, are left out.
    """
    peers = []
    for peer in traffic.unreached.recent(now):
        with contextlib.suppress(ValidationError):
            peers.append(UnreachedPeer(host=peer.host, port=peer.port, reason=peer.reason[:MAX_REASON_LENGTH]))
    return tuple(peers)
