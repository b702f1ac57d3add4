"""Makes keys for a benchmark's cluster before its gateway starts, so that the cluster is encrypted from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.authority.cluster_keys import open_cluster_keys
from shared.mqtt.client_ids import OWN_NODE
from shared.security.certificates import der_of, member_in
from shared.security.issuing import make_key, public_key_of
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity, store_identity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.authority.cluster_keys import ClusterKeys


def make_bench_keys(folder: Path, edges: Iterable[str]) -> dict[str, Path]:
    """Make the keys of a gateway whose logs are in `folder`, and of its edges; return each edge's folder of keys.

    The cluster is open, so that a witness without keys can observe it.
    """
    keys = open_cluster_keys(folder / "state" / "deepthings", OWN_NODE, "always")
    return {name: _join(keys, name, folder / "keys" / name) for name in edges}


def _join(keys: ClusterKeys, name: str, folder: Path) -> Path:
    key, authority = make_key(), keys.authority
    certificate = authority.issue(Role.EDGE, name, public_key_of(key))
    member = member_in(der_of(certificate))
    store_identity(NodeIdentity(folder, authority.certificate, certificate, key, authority.token_of(member)))
    keys.members.add(member)
    return folder
