"""Whom an edge could not reach, as it reports it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.payloads.cluster import REASON_CAP, UnreachedPeer

if TYPE_CHECKING:
    from shared.wire.connection import WireTraffic


def unreached_peers(traffic: WireTraffic, now: float) -> tuple[UnreachedPeer, ...]:
    """Return the peers that `traffic` has failed to reach of late; `now` is monotonic seconds.

    An address that cannot be, which a stranger sent, is left out.
    """
    peers = []
    for peer in traffic.unreached.recent(now):
        with contextlib.suppress(ValidationError):
            peers.append(UnreachedPeer(host=peer.host, port=peer.port, reason=peer.reason[:REASON_CAP]))
    return tuple(peers)
