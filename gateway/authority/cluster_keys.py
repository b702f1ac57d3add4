"""Opens the keys and the list of members of a gateway's cluster when the gateway starts."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.authority.authority import KEYS_FOLDER, Authority, keys_exist
from gateway.authority.member_store import MEMBERS_FILE, MemberStore
from gateway.state.state_folder import StateFolder

if TYPE_CHECKING:
    from pathlib import Path

    from shared.security.node_identity import NodeIdentity


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """The authority of a cluster, its members, and the identity of the edge that the gateway runs itself."""

    authority: Authority
    members: MemberStore
    own_node: NodeIdentity
    files: StateFolder


def open_cluster_keys(state: Path, own_node: str, policy: str) -> ClusterKeys:
    """Return the keys in a state folder; make them at the gateway's first start.

    `policy` is the option `cluster.open`. With "until joined", a new cluster is closed; one that a release without keys
    has used stays open until somebody closes it. Raises DeepThingsError.
    """
    older_release = _of_older_release(state)
    authority = Authority(state / KEYS_FOLDER)
    identity = authority.own_node(own_node)
    files = StateFolder(state)
    members = MemberStore(files, (authority.identity.member, identity.member))
    if policy != "until joined":
        members.set_open(is_open=policy == "always")
    elif members.is_new:
        members.set_open(is_open=older_release)
    return ClusterKeys(authority, members, identity, files)


def begin_without_keys(state: Path) -> None:
    """Write an empty list of members for a gateway that starts without keys.

    If the gateway gets keys later, the list shows that its cluster is not one of a release without keys, which would be
    left open.
    """
    if _of_older_release(state) or (state / MEMBERS_FILE).exists():
        return
    with contextlib.suppress(OSError):
        state.mkdir(parents=True, exist_ok=True)
    if os.access(state, os.W_OK):
        MemberStore(StateFolder(state), ()).keep()


def _of_older_release(state: Path) -> bool:
    """Return whether only releases without keys have used the state folder."""
    known = (state / MEMBERS_FILE).exists() or keys_exist(state / KEYS_FOLDER)
    return not known and any(state.glob("*.json"))
