"""Whom an edge could not reach, as it reports it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.payloads.cluster import MAX_REASON_LENGTH, UnreachedPeer

if TYPE_CHECKING:
    from shared.wire.connection import Traffic


def unreached_peers(traffic: Traffic, now: float) -> tuple[UnreachedPeer, ...]:
    """Return the peers that `traffic` has failed to reach of late; `now` is monotonic seconds.

    An address that cannot be, which a stranger sent, is left out.
    """
    peers = []
    for peer in traffic.unreached.at(now):
        with contextlib.suppress(ValidationError):
            peers.append(UnreachedPeer(host=peer.host, port=peer.port, reason=peer.reason[:MAX_REASON_LENGTH]))
    return tuple(peers)
