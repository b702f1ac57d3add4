"""Makes new keys for a cluster, so that copies of the old ones are useless. All members must be invited again."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from gateway.authority.authority import KEYS_FOLDER, OWN_NODE_FOLDER, Authority
from gateway.authority.member_store import MEMBERS_FILE
from gateway.state.state_folder import StateFolder
from gateway.state.state_lock import is_in_use
from shared.errors import DeepThingsError, PeerRefusedError
from shared.reasons.system_reasons import system_reason
from shared.security.certificates import der_of, member_in
from shared.security.member_list import MemberList, Role
from shared.security.node_identity import CERTIFICATE_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.state.state_file import StateFile
    from shared.security.member_list import Member


def rotate_keys(state: Path) -> tuple[Member, ...]:
    """Make a new authority in a state folder whose gateway does not run; return the members to invite again.

    Raises DeepThingsError.
    """
    keys = state / KEYS_FOLDER
    try:
        if is_in_use(state):
            raise DeepThingsError(
                "the gateway is running: stop it first, with 'sudo systemctl stop deepthings-gateway' or Ctrl-C"
            )
        if not keys.is_dir():
            raise DeepThingsError(f"{state} has no keys; the gateway makes them when it starts with --listen 0.0.0.0")
        file: StateFile[MemberList] = StateFolder(state).register_file(MEMBERS_FILE, MemberList, "no member is known")
        known = file.read() or MemberList()
        own = _own_keys(keys)
        _replace(keys)
        if not file.write(MemberList(revision=known.revision + 1)):
            raise DeepThingsError(f"{file.path} cannot be written: {file.unwritable}")
        _give_to_owner(state, keys, file.path)
    except PermissionError as error:
        raise DeepThingsError(f"{error.filename or state} belongs to another user: run this with sudo") from error
    except OSError as error:
        raise DeepThingsError(f"{keys} cannot be replaced: {system_reason(error)}") from error
    return tuple(member for member in known.members if member.role is not Role.GATEWAY and member.key_hash not in own)


def _own_keys(keys: Path) -> set[str]:
    """Return the key hash of the edge that the gateway runs itself: that edge needs no invitation."""
    try:
        return {member_in(der_of((keys / OWN_NODE_FOLDER / CERTIFICATE_FILE).read_bytes())).key_hash}
    except (FileNotFoundError, ValueError, PeerRefusedError):
        return set()


def _replace(keys: Path) -> None:
    """Replace the folder of keys by a new one. Leave it as it is if the new one cannot be made."""
    new, old = keys.with_name(f".{keys.name}-new"), keys.with_name(f".{keys.name}-old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    Authority(new)
    keys.rename(old)
    new.rename(keys)
    shutil.rmtree(old)


def _give_to_owner(state: Path, keys: Path, members: Path) -> None:
    """Change the owner of files that root has written to the user who runs the gateway."""
    if os.geteuid() != 0:
        return
    status = state.stat()
    for path in (members, keys, *keys.rglob("*")):
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
