"""Edges that may not take part any more: the broker ends their sessions, and tells nobody that they are gone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.security.member_list import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.security.member_list import MemberList


class FormerMembers:
    """Calls `lose(name)` for each edge that is present and no longer admitted, when the list of members changes."""

    def __init__(
        self, members: MemberList, present: Callable[[], tuple[str, ...]], lose: Callable[[str], object]
    ) -> None:
        self._names = _edges(members)
        self._present = present
        self._lose = lose

    def on_members(self, members: MemberList) -> None:
        """Follow the list. While it is open, edges that never were members stay."""
        before, self._names = self._names, _edges(members)
        for name in self._present():
            if name not in self._names and (name in before or not members.open):
                self._lose(name)


def _edges(members: MemberList) -> set[str]:
    return {member.name for member in members.members if member.role is Role.EDGE}
