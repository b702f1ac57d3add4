"""The keys and the members of a gateway's cluster, as they are at its start."""

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

    `policy` is `cluster.open`: a cluster with edges of a release without keys stays open until it is closed, and a new
    one is closed. Raises DeepThingsError.
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
    """Note in the state folder of a gateway without keys that its release knows them.

    Else its cluster would be taken for that of an older release, and be open, when it gets keys later.
    """
    if _of_older_release(state) or (state / MEMBERS_FILE).exists():
        return
    with contextlib.suppress(OSError):
        state.mkdir(parents=True, exist_ok=True)
    if os.access(state, os.W_OK):
        MemberStore(StateFolder(state), ()).keep()


def _of_older_release(state: Path) -> bool:
    """Return whether a gateway of a release without keys has used the state folder, and none with them."""
    known = (state / MEMBERS_FILE).exists() or keys_exist(state / KEYS_FOLDER)
    return not known and any(state.glob("*.json"))
