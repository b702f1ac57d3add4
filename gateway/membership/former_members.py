"""Finds the edges that may not take part any more after a change of the list of members. Pure.

The broker ends the sessions of such edges, but publishes no will that would say that they are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.security.member_list import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.security.member_list import MemberList


class FormerMembers:
    """Calls `lose(name)` for each present edge that is not admitted any more, when the list of members changes.

    `present()` returns the names of the edges that are online.
    """

    def __init__(
        self, members: MemberList, present: Callable[[], tuple[str, ...]], lose: Callable[[str], object]
    ) -> None:
        self._names = _edges(members)
        self._present = present
        self._lose = lose

    def on_members(self, members: MemberList) -> None:
        """Handle a change of the list of members. While the cluster is open, edges that never were members stay."""
        before, self._names = self._names, _edges(members)
        for name in self._present():
            if name not in self._names and (name in before or not members.open):
                self._lose(name)


def _edges(members: MemberList) -> set[str]:
    return {member.name for member in members.members if member.role is Role.EDGE}
