"""Lists the devices that do not take part, with the reason, the command to type, and where to type it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.mqtt.client_ids import OWN_NODE
from shared.security.member_list import MemberList, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.authority.device_invitations import Invitation

MAX_WAITING_NODES = 100
"""Devices that are shown; a longer list helps nobody."""

_GATEWAY = "the gateway"
_COMMAND = re.compile(r"'(deepthings (?:invite|join|edge|revoke)[^']*)'")
"""The command to type in the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Entrants:
    """The members of a cluster, its invitations, and refused devices. `members` is None in a cluster without keys."""

    members: MemberList | None = None
    invitations: tuple[Invitation, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """The addresses that were refused at the data plane, each with the reason and the cure."""
    refused_at_broker: tuple[str, ...] = ()
    """The addresses that were refused at the gateway's broker."""


def waiting_nodes(
    entrants: Entrants, online: Iterable[str], offline: Iterable[str], now: float
) -> list[dict[str, Any]]:
    """Return the devices that do not take part at `now` (monotonic seconds); `online`, `offline`: names of edges."""
    there = set(online)
    found = [*_invited(entrants, now), *_without_keys(entrants, there), *_away(entrants, there, offline)]
    found += [_row(host, "refused", reason, *_cure_in(reason)) for host, reason in entrants.refused.items()]
    found += [
        _row(
            host, "refused", "it has no login at the gateway's broker, as it has not joined; if it is yours, invite it",
            _GATEWAY, "deepthings invite NAME",
        )
        for host in entrants.refused_at_broker if host not in entrants.refused
    ]  # fmt: skip
    return found[:MAX_WAITING_NODES]


def _invited(entrants: Entrants, now: float) -> list[dict[str, Any]]:
    return [
        _row(
            invitation.name or "a new device", "invited",
            f"it may join for {max(1, round((invitation.ends_at - now) / 60))} min more; the command asks for the code "
            "that 'deepthings invite' has printed",
            invitation.name or "the new device", "deepthings join",
        )
        for invitation in entrants.invitations if invitation.answer is None and invitation.ends_at > now
    ]  # fmt: skip


def _without_keys(entrants: Entrants, online: set[str]) -> list[dict[str, Any]]:
    """Return the edges that take part only while the cluster is open."""
    if entrants.members is None:
        return []
    members = {member.name for member in entrants.members.members if member.role is Role.EDGE}
    return [
        _row(
            name, "has no keys", "it takes part only until the cluster is closed", _GATEWAY, f"deepthings invite {name}"
        )
        for name in sorted(online - members - {OWN_NODE})
    ]


def _away(entrants: Entrants, online: set[str], offline: Iterable[str]) -> list[dict[str, Any]]:
    if entrants.members is None:
        why = "it was connected, and is not any more: switch it on, and start its edge"
        return [
            _row(name, "away", why, name, "deepthings edge --gateway HOST")
            for name in sorted(set(offline) - {OWN_NODE})
        ]
    members = sorted(member.name for member in entrants.members.members if member.role is Role.EDGE)
    return [
        _row(
            name, "away", "it has joined, and is not connected: switch it on, and start its edge", name,
            "deepthings edge --listen 0.0.0.0",
        )
        for name in members if name not in online and name != OWN_NODE
    ]  # fmt: skip


def _cure_in(reason: str) -> tuple[str, str]:
    """Return where to type which command, from the reason of a refusal; two empty texts if it names none."""
    found = _COMMAND.search(reason)
    return (_GATEWAY, found[1]) if found else ("", "")


def _row(name: str, state: str, why: str, where: str, command: str) -> dict[str, Any]:
    return {"name": name, "state": state, "why": why, "where": where, "command": command}
