"""Manages the logins and access rules of the gateway's own broker, in a cluster with keys, also while the broker runs.

Edges that have joined log in at an encrypted listener, people and automations at two others. While the cluster is open,
edges without keys may use the listener in plain text, with the access rules of edges.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.broker.access import (
    any_edge_rules,
    edge_rules,
    edge_rules_file,
    gateway_rules_file,
    user_rules,
    user_rules_file,
)
from gateway.broker.access_check import CHECK_NAME, AccessProbe
from gateway.broker.broker_listeners import (
    EDGE_CERTIFICATE,
    EDGE_LOGINS,
    EDGE_RULES,
    GATEWAY_LOGINS,
    GATEWAY_RULES,
    PUBLIC_CERTIFICATE,
    USER_LOGINS,
    USER_RULES,
    certificate_file,
    cluster_listener,
    edge_listener,
    private_key_file,
    public_listener,
)
from gateway.broker.logins import GATEWAY_LOGIN, format_passwords, hash_password, make_password
from shared.errors import BrokerError
from shared.mqtt.broker_login import Login
from shared.mqtt.client_ids import edge_login_name
from shared.mqtt.member_login import MemberTls
from shared.network.addresses import local_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.broker.access import PublicTopics
    from gateway.broker.broker_listeners import BrokerListener
    from gateway.broker.logins import LoginFile
    from gateway.broker.mosquitto import OwnBroker
    from shared.network.addresses import Address

log = logging.getLogger(__name__)

CHANGE_PAUSE_S = 0.2
"""Changes within this time are applied together: each makes the broker check the logins of all its clients again."""

RETRY_PAUSE_S = 5.0
"""Pause before a change that could not be applied is tried again."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BrokerPlaces:
    """The addresses at which the broker listens.

    `cluster`: in plain text, for the gateway and edges without keys; `edges`: encrypted, for edges that have joined;
    `public`, `public_encrypted`: for people and automations; None if the house has its own broker for them.
    """

    cluster: Address
    edges: Address
    public: Address | None = None
    public_encrypted: Address | None = None

    def listeners_without_keys(self) -> list[BrokerListener]:
        """Return the listeners of a gateway that only its own machine can reach. They need no logins or rules."""
        return [cluster_listener(self.cluster), *([] if self.public is None else [public_listener(self.public)])]


class BrokerAccess:
    """The admitted edges and users, and the broker's listeners and files for them."""

    def __init__(
        self,
        places: BrokerPlaces,
        topics: PublicTopics,
        users: LoginFile,
        gateway: ServerCertificate,
        public: ServerCertificate,
        authority: bytes,
    ) -> None:
        """`gateway` is the certificate for edges, `public` that for people and automations, both of the authority."""
        self._places = places
        self._topics = topics
        self._users = users
        self._authority = authority
        self._certificates = {EDGE_CERTIFICATE: gateway, PUBLIC_CERTIFICATE: public}
        self._password = make_password()
        self._gateway_hash = hash_password(self._password)
        self._check_password = make_password()
        self._check_hash = hash_password(self._check_password)
        self._edges: dict[str, tuple[str, str]] = {}
        self._open = False
        self._suspended: tuple[str, ...] = ()
        self._suspended_users: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._applied = asyncio.Condition()
        self._wanted = self._done = 0

    @property
    def login(self) -> Login:
        """Return the gateway's own login."""
        return Login(GATEWAY_LOGIN, self._password)

    @property
    def edge_probe(self) -> AccessProbe:
        """Return a login with the rules of an edge, to check what they allow. Only this gateway knows its password."""
        login = Login(edge_login_name(CHECK_NAME), self._check_password, MemberTls(authority=self._authority))
        return AccessProbe(local_address(self._places.edges), login, edge_rules(CHECK_NAME, self._topics.prefix))

    @property
    def user_probe(self) -> AccessProbe | None:
        """Return a login with the rules of people and automations, to check what they allow.

        None if people and automations use another broker.
        """
        if self._places.public is None:
            return None
        rules = user_rules(self._topics)
        return AccessProbe(local_address(self._places.public), Login(CHECK_NAME, self._check_password), rules)

    @property
    def places(self) -> BrokerPlaces:
        """Return the addresses at which the broker listens."""
        return self._places

    @property
    def users(self) -> LoginFile:
        """Return the logins of people and automations; after changing them, call `change`."""
        return self._users

    def admit(self, edges: Mapping[str, str], *, is_open: bool) -> None:
        """Let exactly these edges log in, given by name and token; if `is_open`, also edges without a login."""
        before = self._edges
        self._edges = {
            name: before[name] if name in before and before[name][0] == token else (token, hash_password(token))
            for name, token in edges.items()
        }
        self._open = is_open
        self.change()

    def suspend(self, edges: tuple[str, ...]) -> None:
        """Refuse the logins of exactly these edges until the next call."""
        if edges != self._suspended:
            self._suspended = edges
            self.change()

    def suspend_users(self, users: tuple[str, ...]) -> None:
        """Refuse the logins of exactly these users until the next call."""
        if users != self._suspended_users:
            self._suspended_users = users
            self.change()

    def change(self) -> None:
        """Let `follow` apply all changes soon."""
        self._wanted += 1
        self._changed.set()

    async def applied(self) -> None:
        """Wait until all changes made so far apply at the broker."""
        wanted = self._wanted
        async with self._applied:
            await self._applied.wait_for(lambda: self._done >= wanted)

    def listeners(self) -> list[BrokerListener]:
        """Return the listeners that the admitted edges and users need now."""
        places = self._places
        found = [cluster_listener(places.cluster, secured=True, anonymous=self._open), edge_listener(places.edges)]
        if places.public is not None:
            found.append(public_listener(places.public, secured=True, anonymous=False))
        if places.public_encrypted is not None:
            found.append(public_listener(places.public_encrypted, secured=True, anonymous=False, encrypted=True))
        return found

    def files(self) -> dict[str, bytes]:
        """Return the content of the files that the listeners use, by name of file.

        Raises ConfigurationError if the logins of users cannot be read.
        """
        prefix, check = self._topics.prefix, {CHECK_NAME: self._check_hash}
        logins = {name: login for name, login in self._users.read().items() if name not in self._suspended_users}
        users = {name: login.hashed for name, login in logins.items()} | check
        allowed = {name: login.may_change for name, login in logins.items()} | {CHECK_NAME: True}
        hashes = {name: hashed for name, (_, hashed) in self._edges.items() if name not in self._suspended} | check
        edges = {edge_login_name(name): hashed for name, hashed in hashes.items()}
        texts = {
            GATEWAY_LOGINS: format_passwords({GATEWAY_LOGIN: self._gateway_hash}),
            GATEWAY_RULES: gateway_rules_file(any_edge_rules(prefix) if self._open else ()),
            EDGE_LOGINS: format_passwords(edges),
            EDGE_RULES: edge_rules_file(hashes, prefix),
            USER_LOGINS: format_passwords(users),
            USER_RULES: user_rules_file(allowed, self._topics, ()),
        }
        found = {name: text.encode() for name, text in texts.items()}
        for name, shown in self._certificates.items():
            found |= {certificate_file(name): shown.certificate, private_key_file(name): shown.key}
        return found

    async def follow(self, broker: OwnBroker) -> None:
        """Apply changes to the running broker, until cancelled."""
        listeners = self.listeners()
        while True:
            await self._changed.wait()
            await asyncio.sleep(CHANGE_PAUSE_S)
            self._changed.clear()
            wanted = self._wanted
            try:
                if listeners == self.listeners():
                    await broker.update(self.files())
                else:
                    listeners = self.listeners()
                    await broker.restart(listeners, self.files())
            except (BrokerError, OSError) as error:
                log.error("logins at the gateway's own broker cannot be changed, trying again: %s", error)  # noqa: TRY400
                self._changed.set()
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            async with self._applied:
                self._done = wanted
                self._applied.notify_all()
