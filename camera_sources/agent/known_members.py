"""The list of members on a camera's own device: fetched from the gateway, and kept for later starts.

Without it, a camera would send its pictures to any edge that was ever a member, even to a revoked one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from camera_sources.agent.member_finder import MemberFinder
from shared.errors import DeepThingsError, PeerLostError
from shared.files.whole_file import write_whole
from shared.logs.outage import Outage
from shared.network.addresses import Address
from shared.security.data_security import THE_GATEWAY, DataSecurity
from shared.security.key_folder import ADDRESS_FILE, KNOWN_MEMBERS_FILE, read_gateway, store_gateway
from shared.security.member_list import MemberList, Role
from shared.wire.codec import MAX_PAYLOAD_BYTES, MessageKind
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, MembersHeader, MembersRequestHeader
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)

MEMBERS_PERIOD_S = 60.0
"""Period at which the list is fetched, and so the longest time in which a revoked edge still gets pictures."""

FRESH_LIST_S = 5.0
"""A list is not fetched again within this time: connections to the edge may follow each other fast."""


class KnownMembers:
    """Keeps the list of members up to date; `security` closes the connections of peers that are no longer listed."""

    def __init__(
        self, camera: str, identity: NodeIdentity, gateway: Address, finder: MemberFinder | None = None
    ) -> None:
        """`gateway` is the address of its data plane. Raises OSError when the keys cannot be read."""
        self._camera = camera
        self._finder = finder or MemberFinder(identity, gateway)
        self._file = identity.folder / KNOWN_MEMBERS_FILE
        self._kept = self._read_file()
        self.security = DataSecurity(identity, self._kept)
        if self._kept is not None:
            self._finder.note_connected(next((m for m in self._kept.members if m.role is Role.GATEWAY), None))
        self._traffic = WireTraffic(self.security)
        self._fetched_at: float | None = None
        self._fetching = asyncio.Lock()
        self._outage = Outage()

    async def refresh(self) -> None:
        """Fetch the list, unless it is fresh. While the gateway does not answer, the last list stays valid.

        Raises PeerLostError if there is no list yet.
        """
        async with self._fetching:
            if self._fetched_at is not None and time.monotonic() - self._fetched_at < FRESH_LIST_S:
                return
            try:
                members = await self._fetch()
            except DeepThingsError as error:
                self._on_failure(str(error))
                await self._look_elsewhere()
                return
        self._fetched_at = time.monotonic()
        if self._outage.note_success():
            log.info("camera %s: the list of members has come from the gateway again", self._camera)
        self.security.on_members(members)
        if members != self._kept:
            self._kept = members
            with contextlib.suppress(OSError):  # the file is needed only for a start without the gateway
                await asyncio.to_thread(write_whole, self._file, members.model_dump_json().encode())

    async def run(self) -> None:
        """Fetch the list again and again until cancelled."""
        while True:
            await asyncio.sleep(MEMBERS_PERIOD_S)
            await self.refresh()

    async def _fetch(self) -> MemberList:
        """Return the gateway's list. The gateway must prove its role and, if there is a list already, its key."""
        gateway = self._finder.address
        connection = await Connection.open(gateway, self._traffic, THE_GATEWAY)
        self._finder.note_connected(connection.member)
        try:
            header, payload = await connection.request(
                MembersRequestHeader(), MembersHeader, AbsentHeader, max_payload=MAX_PAYLOAD_BYTES[MessageKind.MEMBERS]
            )
        finally:
            connection.close()
        if isinstance(header, AbsentHeader):
            raise PeerLostError(f"the gateway at {gateway} has no list: {header.reason}")
        try:
            return MemberList.model_validate_json(bytes(payload))
        except ValueError as error:
            raise PeerLostError(f"the gateway at {gateway} sent no list of members") from error

    async def _look_elsewhere(self) -> None:
        """Search for the gateway at other addresses, and keep its new address for later starts."""
        before = self._finder.address
        await self._finder.look_after_failure()
        known, folder = self._finder.address, self._file.parent
        if known == before:
            return
        with contextlib.suppress(DeepThingsError, OSError):  # it is found again at the next start, too
            kept = read_gateway(folder)
            store_gateway(folder, Address(known.host, known.port if kept is None else kept.port))

    def _on_failure(self, reason: str) -> None:
        """Log that the list cannot be fetched. Raises PeerLostError if there is no list yet."""
        where = f"its address is in {self._file.parent / ADDRESS_FILE}"
        if self.security.members is None:
            raise PeerLostError(
                f"gets no picture before the gateway has sent the list of members: {reason}; start the gateway; {where}"
            )
        level = self._outage.level(reason)
        log.log(
            level, "camera %s: the list of members cannot be fetched: %s; %s is used meanwhile; is the gateway on? %s",
            self._camera, reason, self._age(), where,
        )  # fmt: skip

    def _age(self) -> str:
        if self._fetched_at is None:
            return "the one of before this start"
        return f"the one of {(time.monotonic() - self._fetched_at) / 60:.0f} minutes ago"

    def _read_file(self) -> MemberList | None:
        """Return the list that an earlier process has kept; None if there is none, or if it is damaged."""
        try:
            return MemberList.model_validate_json(self._file.read_bytes())
        except (OSError, ValueError):
            return None
